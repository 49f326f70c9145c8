import { expect, test } from 'vitest'
import { allowAiaUrl, KNOWN_AIA_HOSTS, readAiaPlace } from '../../src/aia/hosts.ts'
import { MAX_AIA_URL_CHARS } from '../../src/aia/limits.ts'

const placesOf = (...texts: readonly string[]) =>
  texts.map((text) => readAiaPlace(text) ?? expect.fail(`${text} is no place`))
const KNOWN = placesOf(...KNOWN_AIA_HOSTS)
const isKnown = (url: string) => allowAiaUrl(url, KNOWN) !== undefined

const ISSUER =
  'http://azcsprodeusaikpublish.blob.core.windows.net/eus-ntc-keyid-e4a8666f8f4c6d9c3932a948847780a6810c4213/e01c2062-fbdc-40a5-a40f-c377c0f7651c.cer'

test.each([
  ISSUER,
  ISSUER.replace('eusaik', 'wusaik').replace('http:', 'https:'),
  'http://www.microsoft.com/pkiops/certs/Microsoft%20TPM%20Root%20Certificate%20Authority%202014.crt',
  'http://eus.aikcertaia.microsoft.com/a/b.cer',
  'https://ftpm.amd.com/hsp/ica/AMD-Pluton-Global-Factory-ICA.crt',
  'http://pki.infineon.com/OptigaEccRootCA/OptigaEccRootCA.crt',
  'https://www.nuvoton.com/security/NTC-TPM-EK-Cert/NPCTxxxECC521RootCA.cer',
  'HTTP://SW-CENTER.st.com:80/STSAFE/STSAFEEccRootCA02.crt',
])('what real certificates name is allowed: %s', (url) => {
  expect(isKnown(url)).toBe(true)
})

test.each([
  ['a suffix that was bought', `${ISSUER.split('/eus')[0]}.attacker.example/x.cer`],
  ['a name that only ends alike', 'http://evil-azcsprodeusaikpublish.blob.core.windows.net/x.cer'],
  ['a label more under a star', 'http://azcsprod.x.aikpublish.blob.core.windows.net/x.cer'],
  ['another account of the store', 'http://attacker.blob.core.windows.net/x.cer'],
  ['nothing where the star is', 'http://azcsprodaikpublish.blob.core.windows.net/x.cer'],
  ['a hyphen where the star is', 'http://azcsprod-aikpublish.blob.core.windows.net/x.cer'],
  ['a letter for the dot', 'http://pkixinfineon.com/x.crt'],
  ['a final dot', 'http://ftpm.amd.com./x.crt'],
  ['the host as a user', 'http://ftpm.amd.com@attacker.example/x.crt'],
  ['credentials', 'http://user:password@ftpm.amd.com/x.crt'],
  ['an empty user', 'http://:password@ftpm.amd.com/x.crt'],
  ['the host as a path', 'http://attacker.example/ftpm.amd.com/x.crt'],
  ['the host as a fragment', 'http://attacker.example#ftpm.amd.com'],
  ['a backslash before the host', 'http://attacker.example\\@ftpm.amd.com/x.crt'],
  ['another port', 'http://ftpm.amd.com:8080/x.crt'],
  ['the port of the other scheme', 'http://ftpm.amd.com:443/x.crt'],
  ['an address of the metadata service', 'http://169.254.169.254/metadata/identity'],
  ['the same as a number', 'http://2852039166/metadata/identity'],
  ['the same in hex', 'http://0xa9fea9fe/'],
  ['loopback', 'http://127.1/x.crt'],
  ['loopback by name', 'http://localhost/x.crt'],
  ['loopback of IPv6', 'http://[::1]/x.crt'],
  ['a mapped address', 'http://[::ffff:169.254.169.254]/x.crt'],
  ['a file', 'file:///etc/passwd'],
  ['a directory service', 'ldap://ftpm.amd.com/cn=ca'],
  ['data', 'data:application/pkix-cert;base64,MAA='],
  ['a place without a scheme', '//ftpm.amd.com/x.crt'],
  ['a page elsewhere on a website', 'http://www.microsoft.com/redirect?to=http://attacker.example'],
  ['a way out of the folder', 'http://www.microsoft.com/pkiops/certs/../../redirect'],
  ['a hidden way out', 'http://www.microsoft.com/pkiops/certs/%2e%2e/%2E%2e/redirect'],
  ['a twice hidden one', 'http://www.microsoft.com/pkiops/certs/%252e%252e/redirect'],
  ['a slash for a server that decodes', 'http://www.microsoft.com/pkiops/certs/..%2f..%2fredirect'],
  ['no URL', 'http://'],
  ['a line break', 'http://ftpm.amd.com\r\nHost: attacker.example/'],
  ['a very long one', `http://ftpm.amd.com/${'a'.repeat(MAX_AIA_URL_CHARS)}`],
])('an agent that has us fetch from elsewhere, by %s, gets nothing', (_, url) => {
  expect(isKnown(url)).toBe(false)
})

test('letters that look alike are another host', () => {
  expect(isKnown('http://ftpm.аmd.com/x.crt')).toBe(false)
  // Full-width letters are the same host: that is the one which would be connected to.
  expect(allowAiaUrl('http://ｆｔｐｍ.amd.com/x.crt', KNOWN)?.hostname).toBe('ftpm.amd.com')
})

test('what is fetched has no fragment, so that one place has one name', () => {
  expect(allowAiaUrl('http://ftpm.amd.com/x#1', KNOWN)?.href).toBe('http://ftpm.amd.com/x')
})

test('a port and a folder count when the list names them, and only those', () => {
  const places = placesOf('localhost:8999', 'ca.example.com/certs/')
  const isAllowed = (url: string) => allowAiaUrl(url, places) !== undefined
  expect(isAllowed('http://localhost:8999/x.cer')).toBe(true)
  expect(isAllowed('http://localhost/x.cer')).toBe(false)
  expect(isAllowed('http://localhost:8998/x.cer')).toBe(false)
  expect(isAllowed('http://ca.example.com/certs/x.cer')).toBe(true)
  expect(isAllowed('http://ca.example.com/certs')).toBe(false)
  expect(isAllowed('http://ca.example.com/certs2/x.cer')).toBe(false)
})

test.each([
  ['everything', '*'],
  ['every host of a domain that anybody can register in', '*.com'],
  ['a star in the registered name', 'micro*.com'],
  ['two stars in a label', 'a*b*c.example.com'],
  ['an address', '10.0.0.1'],
  ['an address of IPv6', '[::1]'],
  ['a URL', 'http://ca.example.com'],
  ['credentials', 'user@ca.example.com'],
  ['capitals, which no host has', 'CA.example.com'],
  ['an empty label', 'ca..example.com'],
  ['a final dot', 'ca.example.com.'],
  ['a file', 'ca.example.com/ca.cer'],
  ['a way up', 'ca.example.com/../'],
  ['port 0', 'ca.example.com:0'],
  ['a port that is none', 'ca.example.com:65536'],
  ['nothing', ''],
])('a line of the list is refused that is %s', (_, text) => {
  const place = readAiaPlace(text)
  // A folder that is spelled as a way up is no way up for whoever compares texts.
  if (place !== undefined) expect(allowAiaUrl('http://ca.example.com/x', [place])).toBeUndefined()
  else expect(place).toBeUndefined()
})
