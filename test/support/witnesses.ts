/**
 * What some tests need beyond Node and npm, since it is there to contradict us and so nobody here
 * wrote it: by name, and what brings it to a machine.
 */
export const WITNESSES = {
  vectors: 'real evidence and conformance cases: a folder of them, named by VECTORS_DIR',
  postgres: 'PostgreSQL: Debian package postgresql',
  pgbouncer: 'PgBouncer: Debian packages pgbouncer and postgresql',
  swtpm: 'a TPM: Debian packages swtpm, swtpm-tools, tpm2-tools and libtss2-tcti-swtpm0',
  agent:
    "a vendor's agent: the folder agent beside the vectors; Debian packages swtpm and python3-cryptography",
  chromium: 'a browser: Debian package chromium',
  compiler: 'a compiler of C++: Debian package g++',
  go: 'Go, and the module proxy or what it gave before: Debian package golang-go',
  systemd: 'systemd, which reads the unit: Debian package systemd',
  tar: 'GNU tar and gzip: Debian packages tar and gzip',
  openssl: 'OpenSSL: Debian package openssl',
  ssfReceiver:
    'easyssf, a receiver of events: built by cargo as test/conformance/README.md says, and named by SSF_RECEIVER',
  python: 'Python: Debian package python3',
  otlp: "OpenTelemetry's protobuf definitions: the PyPI packages opentelemetry-proto and protobuf, unpacked in a folder named by OTEL_PROTO_DIR",
  bash: 'bash: Debian package bash',
  zsh: 'zsh: Debian package zsh',
  fish: 'fish: Debian package fish',
  promtool: 'promtool, which checks rules of Prometheus: Debian package prometheus',
  pkits:
    'NIST PKITS: its folder certs, named by PKITS_DIR; in the PyPI package cryptography-vectors',
} as const

export type Witness = keyof typeof WITNESSES

/** Whether this run is to do as if `witness` were not on this machine: `TESTS_WITHOUT=vectors,…`. */
export function isDenied(witness: Witness): boolean {
  return (process.env.TESTS_WITHOUT ?? '').split(',').includes(witness)
}
