import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  KNOWN_ANCHORS,
  type KnownAnchor,
  type KnownAnchorName,
  readAnchorWord,
} from '../../appraisal/known-anchors.ts'
import type { TrustAnchor } from '../../appraisal/reference-values.ts'
import type { Certificate } from '../../evidence/x509/certificate.ts'
import { readCertificateFile } from '../../evidence/x509/certificate-file.ts'
import { shortNameOf } from '../../evidence/x509/describe-name.ts'
import { fingerprintOf } from '../../evidence/x509/fingerprint.ts'
import { isSameName } from '../../evidence/x509/name.ts'
import { describeCode } from '../framework/read-file.ts'
import { UsageError } from '../framework/usage-error.ts'

/** A certificate, or a root that is known by name, and where it is from. */
export type Root = {
  /** For people: a file, a setting, a document. */
  readonly source: string
  readonly name: string
  /** base64url, as in claims. */
  readonly fingerprint: string
  /** Absent: only its name and fingerprint are known. */
  readonly certificate: Certificate | undefined
  readonly known: KnownAnchorName | undefined
  readonly notBefore: Date
  readonly notAfter: Date
}

/** What files of certificates are called. */
const ENDINGS = /\.(?:pem|crt|cer|der|p7b|p7c|p7s)$/i
const MOST_FILES = 1_000
const MOST_BYTES = 1_048_576

/** The certificates of files and folders, and roots that are named; each once, in their order. */
export function readRoots(names: readonly string[]): readonly Root[] {
  const found = new Map<string, Root>()
  for (const root of names.flatMap(readOne)) {
    if (!found.has(root.fingerprint)) found.set(root.fingerprint, root)
  }
  return [...found.values()]
}

function readOne(name: string): readonly Root[] {
  const fingerprints = readAnchorWord(name) ?? []
  const known = KNOWN_ANCHORS.filter(({ fingerprint }) => fingerprints.includes(fingerprint))
  if (known.length > 0) return known.map((one) => rootOfKnown(one, 'known by name'))
  return listFiles(name).flatMap((file) => readFile(file))
}

function listFiles(path: string): readonly string[] {
  if (!isFolder(path)) return [path]
  const files = readdirSync(path).filter((name) => ENDINGS.test(name))
  if (files.length > MOST_FILES) {
    throw new UsageError(`${path} has more than ${MOST_FILES} files: name some of them`)
  }
  if (files.length === 0) {
    throw new UsageError(`${path} has no files that end in .pem, .crt, .cer, .der or .p7b`)
  }
  return files.toSorted().map((name) => join(path, name))
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function readFile(file: string): readonly Root[] {
  const read = readCertificateFile(readBytes(file))
  if (read.ok) return read.value.map((certificate) => rootOfCertificate(certificate, file))
  const { reason, detail } = read.failure
  throw new UsageError(`${file} has no certificates that can be read: ${reason} (${detail})`)
}

function readBytes(file: string): Uint8Array {
  try {
    if (statSync(file).size > MOST_BYTES) throw new UsageError(`${file} is too large`)
    return readFileSync(file)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`cannot read ${file}${describeCode(error)}`)
  }
}

export function rootOfCertificate(certificate: Certificate, source: string): Root {
  const { subject, notBefore, notAfter } = certificate
  const fingerprint = fingerprintOf(certificate)
  const known = KNOWN_ANCHORS.find((one) => one.fingerprint === fingerprint)?.name
  return {
    source,
    name: shortNameOf(subject),
    fingerprint,
    certificate,
    known,
    notBefore,
    notAfter,
  }
}

export function rootOfKnown(anchor: KnownAnchor, source: string): Root {
  const { subject, fingerprint, notBefore, notAfter } = anchor
  const known = KNOWN_ANCHORS.find((one) => one.fingerprint === fingerprint)?.name
  return { source, name: subject, fingerprint, certificate: undefined, known, notBefore, notAfter }
}

/** Of reference values, under the name that they give it. */
export function rootOfEntry(entry: TrustAnchor, source: string): Root {
  const { name, fingerprint, certificate, notBefore, notAfter } = entry
  const known = KNOWN_ANCHORS.find((one) => one.fingerprint === fingerprint)?.name
  return { source, name, fingerprint, certificate, known, notBefore, notAfter }
}

/** A trust anchor is its own issuer; certificates between it and a key come by themselves. */
export function isOwnIssuer({ certificate }: Root): boolean {
  return certificate === undefined || isSameName(certificate.issuer, certificate.subject)
}
