import type { KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceIdOf } from '../../../src/access/device-id.ts'
import { digest } from '../../../src/base/digest.ts'
import { fromBase64, fromBase64Url, toBase64Url } from '../../../src/base/encoding.ts'
import { parseCertificate, parsePemBundle } from '../../../src/evidence/x509/certificate.ts'
import { independentKeys } from '../../../src/simulator/key-source.ts'
import { type RecordedBoot, recordBoot } from '../../../src/simulator/virtual-device.ts'
import { listSimulatorReferenceValues } from '../../../src/simulator/virtual-enclave.ts'
import type { Json } from '../../support/json.ts'
import { expectOk, noteReason } from '../../support/refusal.ts'
import {
  createTestService,
  expectProblem,
  readOk,
  type TestService,
  testClock,
} from '../../support/service.ts'
import {
  describeSwtpm,
  type ManufacturedEk,
  type Swtpm,
  type SwtpmAk,
} from '../../support/swtpm.ts'
import { attestSwtpm, bootSwtpm, enrolmentOf, openCredential } from '../../support/swtpm-agent.ts'
import { openSwtpmMaker, type SwtpmMaker } from '../../support/swtpm-maker.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const spkiOf = (certificate: Uint8Array) =>
  toBase64Url(expectOk(parseCertificate(certificate)).spki)
const padded = (text: string) =>
  toBase64Url(Buffer.concat([Buffer.from(text, 'base64url'), Buffer.alloc(100, 0xff)]))
/** What the service reads where an agent sends hexadecimal, whose digits are of base64url as well. */
const fromHexText = (bytes: Buffer) => Buffer.from(bytes.toString('hex'), 'base64url')
function withBit(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const changed = Uint8Array.from(bytes)
  changed[at] = (changed[at] ?? 0) ^ bit
  return changed
}

/**
 * Witness: TPMs, endorsement certificates and their authority are swtpm's (swtpm_localca), and
 * credentials are activated by tpm2-tools. Nobody certifies an attestation key but the service.
 */
describeSwtpm('a TPM whose maker is trusted, and whose attestation key nobody certified', () => {
  let maker: SwtpmMaker
  let tpm: Swtpm
  let other: Swtpm
  let ek: ManufacturedEk
  let ak: SwtpmAk
  let secondAk: SwtpmAk
  let boot: RecordedBoot
  let requestKey: KeyObject
  let database: TestDatabase
  let service: TestService
  let env: Record<string, string>

  beforeAll(async () => {
    maker = await openSwtpmMaker()
    tpm = await maker.make()
    other = await maker.make()
    ek = await tpm.readEk('rsa')
    ak = await tpm.createAk('rsa')
    secondAk = await tpm.createAk('ecc')
    const keys = independentKeys()
    requestKey = await keys()
    boot = await recordBoot(keys)
    await bootSwtpm(tpm, boot)
    database = await openTestDatabase()
    env = {
      EK_TRUST_ANCHORS: maker.rootPem + maker.issuerPem,
      DEVICE_ATTESTATIONS_PER_MINUTE: '6000',
    }
    // The certificates of the maker begin when this test does.
    service = await createTestService({ database, env, clock: testClock(new Date()) })
    const headers = await service.as('admin.write')
    const document = listSimulatorReferenceValues()
    const body = { reason: 'our agent', document }
    await readOk(await service.post('/v1/reference-values', body, { method: 'PUT', headers }))
    service.clock.advance(2)
  }, 120_000)

  afterAll(async () => {
    await tpm?.stop()
    await other?.stop()
    await maker?.close()
    await database?.close()
  })

  const begin = (body: unknown, at = service) => at.post('/v1/enrolments', body)
  const activate = (ticket: unknown, secret: unknown, at = service) =>
    at.post('/v1/enrolments/activate', { ticket, secret })
  const enrol = async (key: SwtpmAk, at = service): Promise<Json> => {
    const begun = await readOk(await begin(enrolmentOf(ek, key), at))
    const secret = await openCredential(tpm, begun, { ek, ak: key })
    return readOk(await activate(begun.ticket, secret, at), 201)
  }
  const attest = (key: SwtpmAk, certificate?: string, at = service) =>
    attestSwtpm(at, {
      ...{ tpm, ak: key, boot, requestKey },
      ...(certificate === undefined ? {} : { certificate }),
    })
  const verdictOf = async (key: SwtpmAk, certificate: string) => {
    service.clock.advance(1)
    const { answer } = await attest(key, certificate)
    return readOk(answer ?? new Response('no report', { status: 400 }), 201)
  }
  const refused = async (answer: Response, status: number, code: string, reason: string) => {
    const problem = await expectProblem(answer, status, code)
    expect(String(problem.detail).split(':')[0]).toBe(reason)
    noteReason(reason)
    return problem
  }
  const everything = async () => {
    const tables = ['device', 'device_link', 'spent_nonce', 'audit', 'outbox']
    return Promise.all(
      tables.map(async (table) => (await database.query(`select * from ${table}`)).length),
    )
  }

  test('is refused before it enrols, since nobody vouches for its key', async () => {
    const { report } = await attest(ak)
    expect(report.status).toBe(400)
    expect(await report.json()).toMatchObject({ error: { code: 'PolicyEvaluationError' } })
  })

  test('enrols by credential activation and becomes trusted', async () => {
    const before = await everything()
    const begun = await readOk(await begin(enrolmentOf(ek, ak)))
    const secret = await openCredential(tpm, begun, { ek, ak })
    // Until then nothing was written.
    expect(await everything()).toEqual(before)
    const enrolled = await readOk(await activate(begun.ticket, secret), 201)
    expect(enrolled.device_key).toBe(begun.device_key)
    const answer = await verdictOf(ak, enrolled.aik_cert)
    expect(answer).toMatchObject({ verdict: 'trusted', device_id: enrolled.device_id, reasons: [] })
    const admin = await service.as('admin.read')
    const shown = await readOk(
      await service.request(`/v1/devices/${enrolled.device_id}`, { headers: admin }),
    )
    const spki = expectOk(parseCertificate(ek.certificate)).spki
    const [anchor] = expectOk(parsePemBundle(maker.rootPem))
    expect(shown.attestation.claims).toMatchObject({
      aikValidated: true,
      aikEnrolled: true,
      aikTrustAnchor: toBase64Url(digest('sha256', anchor?.der ?? new Uint8Array())),
      tpmIdentity: toBase64Url(digest('sha256', spki)),
    })
    expect(enrolled.device_id).toBe(deviceIdOf(digest('sha256', spki)))
  })

  test('gets a certificate that OpenSSL would take for one of an attestation key', async () => {
    const { aik_cert: text, expires_at: end } = await enrol(ak)
    const certificate = expectOk(parseCertificate(fromBase64Url(text) ?? new Uint8Array()))
    expect(certificate.extendedKeyUsage).toEqual(['2.23.133.8.3'])
    expect([...(certificate.keyUsage ?? [])]).toEqual(['digitalSignature'])
    expect(certificate.basicConstraints?.ca).toBe(false)
    expect(certificate.notAfter.toISOString()).toBe(end)
  })

  test('costs one recording statement for each attestation once it is known', async () => {
    const { aik_cert: certificate } = await enrol(ak)
    service.calls.length = 0
    await verdictOf(ak, certificate)
    expect(service.calls.filter((name) => name === 'recordAttestation')).toHaveLength(1)
    expect(service.calls).not.toContain('linkDevice')
  })

  test('is one device, whatever key it comes with, and stays quarantined', async () => {
    const first = await enrol(ak)
    await verdictOf(ak, first.aik_cert)
    const headers = await service.as('admin.write')
    const quarantine = `/v1/devices/${first.device_id}/quarantine`
    await readOk(await service.post(quarantine, { reason: 'stolen' }, { headers }))
    const second = await enrol(secondAk)
    expect(second.device_id).toBe(first.device_id)
    for (const [key, { aik_cert: certificate }] of [
      [secondAk, second],
      [ak, await enrol(ak)],
      [ak, first],
    ] as const) {
      const answer = await verdictOf(key, certificate)
      expect(answer).toMatchObject({ verdict: 'quarantined', device_id: first.device_id })
    }
    const release = `/v1/devices/${deviceIdOf(fromBase64(second.device_key) ?? new Uint8Array())}/release`
    await readOk(await service.post(release, { reason: 'found' }, { headers }))
    expect(await verdictOf(ak, first.aik_cert)).toMatchObject({ verdict: 'trusted' })
  })

  test('is refused with the certificate of another key', async () => {
    const { aik_cert: certificate } = await enrol(ak)
    const { report } = await attest(secondAk, certificate)
    expect(report.status).toBe(400)
  })

  describe('is not enrolled', () => {
    test('by another TPM, whichever of its keys it tries', async () => {
      const begun = await readOk(await begin(enrolmentOf(ek, ak)))
      const thief = { ek: await other.readEk('rsa'), ak: await other.createAk('rsa') }
      await expect(openCredential(other, begun, thief)).rejects.toThrow()
      await refused(
        await activate(begun.ticket, toBase64Url(new Uint8Array(32))),
        403,
        'secret_wrong',
        'secret_wrong',
      )
    })

    test('for another attestation key than it said, whose name is another', async () => {
      const begun = await readOk(await begin(enrolmentOf(ek, ak)))
      await expect(openCredential(tpm, begun, { ek, ak: secondAk })).rejects.toThrow()
    })

    test('for the name of a key whose attributes were changed on the way', async () => {
      const changed = Uint8Array.from(ak.publicArea)
      // userWithAuth, which says nothing about where the key lives: it changes the name alone.
      changed[7] = (changed[7] ?? 0) ^ 0x40
      const begun = await readOk(await begin(enrolmentOf(ek, { ...ak, publicArea: changed })))
      await expect(openCredential(tpm, begun, { ek, ak })).rejects.toThrow()
    })

    test('twice by one ticket', async () => {
      const begun = await readOk(await begin(enrolmentOf(ek, ak)))
      const secret = await openCredential(tpm, begun, { ek, ak })
      const answers = await Promise.all([
        activate(begun.ticket, secret),
        activate(begun.ticket, secret),
      ])
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409])
      await refused(await activate(begun.ticket, secret), 409, 'ticket_spent', 'ticket_spent')
    })

    test('by a secret that has expired', async () => {
      const begun = await readOk(await begin(enrolmentOf(ek, ak)))
      const secret = await openCredential(tpm, begun, { ek, ak })
      service.clock.advance(301)
      const answer = await activate(begun.ticket, secret)
      await refused(answer, 409, 'ticket_expired', 'ticket_expired')
    })

    test('by a ticket that somebody changed, or of another service', async () => {
      const begun = await readOk(await begin(enrolmentOf(ek, ak)))
      const secret = await openCredential(tpm, begun, { ek, ak })
      const changed = fromBase64Url(begun.ticket) ?? new Uint8Array()
      changed[40] = (changed[40] ?? 0) ^ 1
      const answer = await activate(toBase64Url(changed), secret)
      await refused(answer, 400, 'ticket_foreign', 'ticket_foreign')
      await refused(await activate('AAAA', secret), 400, 'ticket_foreign', 'ticket_foreign')
    })

    test('with a key that is not restricted', async () => {
      const key = await tpm.createSigningKey({ kind: 'rsa' })
      const answer = await begin(enrolmentOf(ek, key))
      await refused(answer, 422, 'ak_refused', 'ak_attributes_refused')
    })

    test('with the certificate of another endorsement key', async () => {
      const { certificate } = await other.readEk('rsa')
      const answer = await begin(enrolmentOf({ ...ek, certificate }, ak))
      await refused(answer, 422, 'ek_public_mismatch', 'ek_public_mismatch')
    })

    test('with an endorsement key of a changed template', async () => {
      for (const at of [4, 7, 12]) {
        const publicArea = Uint8Array.from(ek.publicArea)
        publicArea[at] = (publicArea[at] ?? 0) ^ 0x04
        const answer = await begin(enrolmentOf({ ...ek, publicArea }, ak))
        await refused(answer, 422, 'ek_public_mismatch', 'ek_public_mismatch')
      }
    })

    test('with its second endorsement key, which would be a second device', async () => {
      const answer = await begin(enrolmentOf(await tpm.readEk('ecc384'), ak))
      await refused(answer, 403, 'ek_type_not_accepted', 'ek_type_not_accepted')
    })

    test('where its maker is not trusted, or its chain is not whole', async () => {
      const stranger = await openSwtpmMaker()
      await stranger.close()
      for (const pem of [stranger.rootPem, maker.rootPem]) {
        const strict = await createTestService({
          ...{ database, clock: testClock(new Date()) },
          env: { EK_TRUST_ANCHORS: pem },
        })
        const answer = await begin(enrolmentOf(ek, ak), strict)
        const problem = await expectProblem(answer, 403, 'ek_certificate_refused')
        expect(problem.detail).toContain('certificate_issuer_unknown')
        expect(problem.where).toEqual({ member: 'ek_certificate' })
        // swtpm_localca's own names.
        expect(problem.expected).toMatch(
          /^the certificate of CN=swtpm-localca with the key identifier [0-9a-f]{40}, in chain or in EK_TRUST_ANCHORS$/,
        )
        expect(strict.logs.join('')).toContain('the certificate of CN=swtpm-localca')
        const headers = await strict.as('admin.read')
        const id = String(problem.instance).split(':').at(-1)
        const found = await readOk(
          await strict.request(`/v1/refusals?request_id=${id}`, { headers }),
        )
        expect(found.refusals).toMatchObject([{ detail: 'issuer', expected: problem.expected }])
      }
    }, 30_000)

    /** Mistakes of agents, with what swtpm, tpm2-tools and OpenSSL really give out. */
    test.each<[string, (body: Json) => object, number, string, string | RegExp]>([
      [
        'with a key as SubjectPublicKeyInfo',
        () => ({ ak_public: spkiOf(ek.certificate) }),
        400,
        'ak_public_malformed',
        'TPMT_PUBLIC or TPM2B_PUBLIC of an RSA or ECC key: this is a SubjectPublicKeyInfo in DER',
      ],
      [
        'with a key in PEM',
        () => ({ ak_public: toBase64Url(Buffer.from('-----BEGIN PUBLIC KEY-----\nMII')) }),
        400,
        'ak_public_malformed',
        'TPMT_PUBLIC or TPM2B_PUBLIC of an RSA or ECC key: this is PEM',
      ],
      [
        'with the certificate and the padding of its NV index',
        ({ ek_certificate: text }) => ({ ek_certificate: padded(text) }),
        400,
        'ek_certificate_malformed',
        /^a certificate in DER .*: its first \d+ bytes alone, without the 100 behind it$/,
      ],
      [
        'with the certificate in PEM',
        () => ({ ek_certificate: toBase64Url(Buffer.from(maker.issuerPem)) }),
        400,
        'ek_certificate_malformed',
        'a certificate in DER (RFC 5280 §4.1): this is PEM',
      ],
      [
        'with the certificate in base64 of base64',
        ({ ek_certificate: text }) => ({
          ek_certificate: toBase64Url(
            Buffer.from(Buffer.from(text, 'base64url').toString('base64')),
          ),
        }),
        400,
        'ek_certificate_malformed',
        'a certificate in DER (RFC 5280 §4.1): this is base64 of it once more',
      ],
      [
        'with an authority in PEM',
        () => ({ chain: [toBase64Url(Buffer.from(maker.issuerPem))] }),
        400,
        'ek_certificate_malformed',
        'a certificate in DER (RFC 5280 §4.1): this is PEM',
      ],
      [
        'with the public area of another key',
        () => ({ ek_public: toBase64Url(ak.publicArea) }),
        422,
        'ek_public_mismatch',
        'the key in ek_certificate: this is the public area of another key',
      ],
      [
        'with the public area of its key with other attributes',
        () => ({ ek_public: toBase64Url(withBit(ek.publicArea, 7, 0x04)) }),
        422,
        'ek_public_mismatch',
        /^a default template of the EK Credential Profile: the key is that of ek_certificate/,
      ],
    ])('%s, and is told what to send', async (_, change, status, code, expected) => {
      const body = enrolmentOf(ek, ak)
      const answer = await begin({ ...body, ...change(body) })
      const problem = await expectProblem(answer, status, code)
      expect(problem.expected).toMatch(expected)
    })

    test('with one text as its chain, and is told that it is an array', async () => {
      const chain = toBase64Url(ek.certificate)
      const answer = await begin({ ...enrolmentOf(ek, ak), chain })
      const problem = await expectProblem(answer, 400, 'request_malformed')
      expect(problem.detail).toBe('chain: Invalid input: expected array, received string')
    })

    test.each<[string, (secret: Buffer) => Uint8Array, RegExp]>([
      [
        'with its size',
        (secret) => Buffer.from(`0020${secret.toString('hex')}`, 'hex'),
        /\(00 20\)$/,
      ],
      ['in hexadecimal', (secret) => fromHexText(secret), /: this is hexadecimal$/],
      ['cut', (secret) => secret.subarray(1), /: these are 31$/],
    ])('by its secret %s, and is told its form', async (_, change, expected) => {
      const begun = await readOk(await begin(enrolmentOf(ek, ak)))
      const secret = await openCredential(tpm, begun, { ek, ak })
      const wrong = toBase64Url(change(Buffer.from(secret, 'base64url')))
      const problem = await expectProblem(await activate(begun.ticket, wrong), 403, 'secret_wrong')
      expect(problem.where).toEqual({ member: 'secret' })
      expect(problem.expected).toMatch(expected)
    })
  })

  test('may send the chain of its endorsement certificate, which then serves this request alone', async () => {
    const strict = await createTestService({
      ...{ database, clock: testClock(new Date()) },
      env: { EK_TRUST_ANCHORS: maker.rootPem },
    })
    const [issuer] = expectOk(parsePemBundle(maker.issuerPem))
    const chain = [issuer?.der ?? new Uint8Array()]
    expect((await begin(enrolmentOf(ek, ak, chain), strict)).status).toBe(200)
    const answer = await begin(enrolmentOf(ek, ak), strict)
    await refused(answer, 403, 'ek_certificate_refused', 'certificate_issuer_unknown')
  })

  test('enrols with an endorsement key of P-384 where that type is accepted', async () => {
    const types = { EK_KEY_TYPES: 'ecc-p384,rsa-3072,ecc-p256' }
    const clock = testClock(new Date())
    const lenient = await createTestService({ database, clock, env: { ...env, ...types } })
    const ecc = await tpm.readEk('ecc384')
    const begun = await readOk(await begin(enrolmentOf(ecc, secondAk), lenient))
    const secret = await openCredential(tpm, begun, { ek: ecc, ak: secondAk })
    await readOk(await activate(begun.ticket, secret, lenient), 201)
    const answer = await begin(enrolmentOf(ek, ak), lenient)
    await refused(answer, 403, 'ek_type_not_accepted', 'ek_type_not_accepted')
  })

  test('counts no more when its maker is no longer trusted', async () => {
    const { aik_cert: certificate } = await enrol(ak)
    const begun = await readOk(await begin(enrolmentOf(ek, ak)))
    const secret = await openCredential(tpm, begun, { ek, ak })
    const stranger = await openSwtpmMaker()
    await stranger.close()
    const later = await createTestService({
      ...{ database, clock: testClock(service.clock.now()) },
      env: { EK_TRUST_ANCHORS: stranger.rootPem },
    })
    const { report } = await attest(ak, certificate, later)
    expect(report.status).toBe(400)
    expect(later.logs.join('')).toContain('enrolment_anchor_withdrawn')
    noteReason('enrolment_anchor_withdrawn')
    const answer = await activate(begun.ticket, secret, later)
    const told = await refused(answer, 403, 'ek_certificate_refused', 'ek_anchor_withdrawn')
    expect(told).toMatchObject({
      where: { member: 'ticket' },
      expected: 'a ticket whose endorsement key an anchor of EK_TRUST_ANCHORS still vouches for',
    })
  }, 30_000)

  test('enrols only so often', async () => {
    const slow = await createTestService({
      ...{ database, clock: testClock(new Date()) },
      env: { ...env, DEVICE_ATTESTATIONS_PER_MINUTE: '1' },
    })
    await enrol(ak, slow)
    const begun = await readOk(await begin(enrolmentOf(ek, ak), slow))
    const secret = await openCredential(tpm, begun, { ek, ak })
    const answer = await activate(begun.ticket, secret, slow)
    expect(answer.headers.get('retry-after')).toBe('60')
    await refused(answer, 429, 'device_rate_limited', 'activation_rate_limited')
  })

  test('on a service that admits listed devices alone, enrols when its EK is listed', async () => {
    const listed = await openTestDatabase()
    const strict = await createTestService({
      ...{ database: listed, clock: testClock(new Date()) },
      env: { ...env, ENROLMENT: 'listed' },
    })
    const begun = await readOk(await begin(enrolmentOf(ek, ak), strict))
    const secret = await openCredential(tpm, begun, { ek, ak })
    const stranger = await activate(begun.ticket, secret, strict)
    await refused(stranger, 403, 'device_not_listed', 'device_not_listed')
    const hash = Buffer.from(digest('sha256', expectOk(parseCertificate(ek.certificate)).spki))
    const headers = await strict.as('admin.write')
    const body = { ek_public_hash: hash.toString('base64'), owner: 'ada' }
    const device = await readOk(await strict.post('/v1/devices', body, { headers }), 201)
    // The ticket was not used up by the refusal.
    const enrolled = await readOk(await activate(begun.ticket, secret, strict), 201)
    expect(enrolled.device_id).toBe(device.device_id)
    await listed.close()
  })
})
