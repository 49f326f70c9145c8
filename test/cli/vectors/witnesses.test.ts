import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compactVerify, decodeProtectedHeader, type JWK, jwtVerify } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import {
  type RunFile,
  readAgentVectors,
  readFolder,
  readValue,
} from '../../support/agent-vectors.ts'
import { AGENT_VECTORS_FOLDER } from '../../support/agent-vectors-folder.ts'
import { describeWith } from '../../support/left-out.ts'
import { describeOpenssl, openssl } from '../../support/openssl.ts'
import { describeVendorAgent, PYTHON, VENDOR_FOLDER } from '../../support/vendor-agent.ts'

/*
 * Witnesses, since both the vectors and the service are ours: OpenSSL, tpm2-tools, jose,
 * python3-cryptography, and an agent that others wrote from the documentation alone.
 */

const files = readAgentVectors()
const runs = readFolder<RunFile>(files, 'runs')
const attested = runs.filter(({ name }) => name !== 'enrolment')
const service = JSON.parse(files.get('service.json') ?? '{}')
const text = (run: RunFile, name: string) => readValue(run, name).toString('utf8')
const has = (run: RunFile, name: string) => run.values.some((value) => value.name === name)

const folder = mkdtempSync(join(tmpdir(), 'countersign-vectors-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The value of a run as a file. */
function fileOf(run: RunFile, name: string, content: Uint8Array = readValue(run, name)): string {
  const path = join(folder, `${run.name}.${name}`)
  writeFileSync(path, content)
  return path
}

/** A public key in PEM. */
function pemOf(run: RunFile): string {
  const pem = openssl(['pkey', '-pubin', '-inform', 'DER', '-in'], readValue(run, 'ak_spki'))
  return fileOf(run, 'ak.pem', pem)
}

describeOpenssl('OpenSSL', () => {
  test.each(runs)('reads the attestation key of $name, whose hash is the device key', (run) => {
    const hash = openssl(['dgst', '-sha256', '-binary'], readValue(run, 'ak_spki'))
    expect(hash.toString('base64')).toBe(text(run, 'device_key'))
    expect(pemOf(run)).toContain('ak.pem')
  })

  test.each(attested)('verifies the signature of the quote of $name', (run) => {
    // TPMT_SIGNATURE: RSASSA, SHA-256 and a size before the signature.
    const signature = readValue(run, 'quote_signature')
    expect(signature.subarray(0, 6).toString('hex')).toBe('0014000b0100')
    const file = fileOf(run, 'signature', signature.subarray(6))
    const args = ['dgst', '-sha256', '-verify', pemOf(run), '-signature', file]
    expect(openssl(args, readValue(run, 'quote')).toString()).toBe('Verified OK\n')
    if (!has(run, 'certify_attest')) return
    const certified = fileOf(run, 'certified', readValue(run, 'certify_signature').subarray(6))
    const more = ['dgst', '-sha256', '-verify', pemOf(run), '-signature', certified]
    const attest = readValue(run, 'certify_attest')
    expect(openssl(more, attest).toString()).toBe('Verified OK\n')
    expect(attest.includes(readValue(run, 'challenge'))).toBe(true)
  })

  test.each(attested)('hashes report_signed of $name to what its enclave report holds', (run) => {
    if (!has(run, 'report_signed')) return
    const hash = openssl(['dgst', '-sha512', '-binary'], readValue(run, 'report_signed'))
    expect(hash).toEqual(readValue(run, 'enclave_data'))
    expect(readValue(run, 'enclave_report').subarray(32, 96)).toEqual(hash)
  })
})

describe('jose', () => {
  test.each(attested)('verifies request, token and proof of $name', async (run) => {
    const key = JSON.parse(text(run, 'request_key_jwk')) as JWK
    const request = await compactVerify(text(run, 'request'), key, { algorithms: ['PS256'] })
    expect(Buffer.from(request.payload).toString()).toBe(text(run, 'request_payload'))
    const {
      d: _,
      p: __,
      q: ___,
      dp: ____,
      dq: _____,
      qi: ______,
      ...signer
    } = service.private_keys.attestation_token
    const currentDate = new Date(service.now)
    const token = await jwtVerify(text(run, 'attestation_token'), signer, {
      ...{ currentDate, issuer: service.settings.PUBLIC_URL, algorithms: ['RS256'] },
    })
    expect(token.payload).toEqual(JSON.parse(text(run, 'attestation_claims')))
    expect(token.payload.cnf).toEqual({ jwk: key })
    const proof = await jwtVerify(text(run, 'proof'), key, {
      ...{ currentDate, typ: 'dpop+jwt', algorithms: ['PS256'] },
    })
    expect(proof.payload.nonce).toBe(text(run, 'nonce'))
    expect(decodeProtectedHeader(text(run, 'proof')).jwk).toEqual(key)
  })

  test.each(attested)('verifies the device token of $name', async ({ exchanges }) => {
    const { d: _, ...signer } = service.private_keys.device_token
    const answer = exchanges.at(-1)?.answer.body as { device_token: string; device_id: string }
    const { payload } = await jwtVerify(answer.device_token, signer, {
      ...{ currentDate: new Date(service.now), algorithms: ['ES256'] },
    })
    expect(payload.sub).toBe(answer.device_id)
  })
})

const tools = ['tpm2_checkquote', 'tpm2_print']
const hasTools = tools.every((tool) => spawnSync(tool, ['--version']).error === undefined)

describeWith('swtpm', hasTools, 'tpm2-tools', () => {
  test.each(attested)('tpm2_checkquote believes the quote of $name and its PCRs', (run) => {
    const files = [
      ...['-u', pemOf(run), '-m', fileOf(run, 'quote'), '-s', fileOf(run, 'quote_signature')],
    ]
    const check = (qualifying: string, pcrs: Uint8Array) => {
      const path = fileOf(run, 'pcr-file', writePcrFile(pcrs))
      const args = [...files, '-f', path, '-g', 'sha256', '-q', qualifying]
      return spawnSync('tpm2_checkquote', args)
    }
    const qualifying = readValue(run, 'qualifying_data').toString('hex')
    const pcrs = readValue(run, 'pcrs')
    const checked = check(qualifying, pcrs)
    expect(checked.status, String(checked.stderr)).toBe(0)
    expect(check('00'.repeat(16), pcrs).status).not.toBe(0)
    const other = Buffer.from(pcrs)
    other[7 * 32] = (other[7 * 32] ?? 0) ^ 1
    expect(check(qualifying, other).status).not.toBe(0)
  })

  test.each(attested)('tpm2_print reads the structures of $name', (run) => {
    const print = (type: string, name: string) =>
      execFileSync('tpm2_print', ['-t', type, fileOf(run, name)]).toString()
    const quote = print('TPMS_ATTEST', 'quote')
    expect(quote).toContain(`extraData: ${readValue(run, 'qualifying_data').toString('hex')}`)
    expect(quote).toContain(`pcrDigest: ${readValue(run, 'pcr_digest').toString('hex')}`)
    expect(print('TPMT_PUBLIC', 'ak_public')).toMatch(/restricted/)
    if (has(run, 'certify_public')) {
      expect(print('TPMT_PUBLIC', 'certify_public')).toMatch(/fixedtpm\|fixedparent/)
    }
  })
})

/**
 * The PCRs 0 to 23 of the bank of SHA-256 as tpm2-tools keep them in a file: a TPML_PCR_SELECTION and
 * a list of TPML_DIGEST, as they lie in the memory of a little-endian machine.
 */
function writePcrFile(pcrs: Uint8Array): Uint8Array {
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
  const u16 = (value: number) => Buffer.from(Uint16Array.of(value).buffer)
  const selection = Buffer.alloc(4 + 16 * 8)
  selection.set([1, 0, 0, 0, 0x0b, 0, 3, 0xff, 0xff, 0xff])
  const lists = [0, 8, 16].map((first) => {
    const digests = Array.from({ length: 8 }, (_, index) => {
      const buffer = Buffer.alloc(64)
      buffer.set(pcrs.subarray((first + index) * 32, (first + index + 1) * 32))
      return Buffer.concat([u16(32), buffer])
    })
    return Buffer.concat([u32(8), ...digests])
  })
  return Buffer.concat([selection, u32(lists.length), ...lists])
}

describeVendorAgent("the vendor's agent", () => {
  const script = join(import.meta.dirname, 'witness.py')
  const told: readonly { run: string; what: string; agrees: boolean }[] = JSON.parse(
    execFileSync(PYTHON, [script, AGENT_VECTORS_FOLDER, VENDOR_FOLDER]).toString(),
  )

  test.each(runs)('makes the values of $name from the same inputs', ({ name }) => {
    const compared = told.filter(({ run }) => run === name)
    expect(compared.length).toBeGreaterThan(name === 'enrolment' ? 5 : 20)
    expect(compared.filter(({ agrees }) => !agrees)).toEqual([])
  })
})
