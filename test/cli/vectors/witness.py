"""Holds the golden vectors against an agent that others wrote, and against Debian's python3-cryptography.

Usage: witness.py VECTORS_FOLDER AGENT_FOLDER. Prints a JSON list of what was compared, each with whether it agrees.
The agent's own functions make the values; nothing of this service is used."""
import hashlib, json, os, struct, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

sys.dont_write_bytecode = True
vectors, agent = sys.argv[1:]
sys.path.insert(0, agent)
import bootlog as B, client as C, tpm as T

told = []


def compare(run, what, got, want): told.append({"run": run, "what": what, "agrees": got == want})


def load(path):
    with open(os.path.join(vectors, path)) as file: return json.load(file)


def rsa_key(jwk):
    n = {k: int.from_bytes(C.unb64u(jwk[k]), "big") for k in ("n", "e", "d", "p", "q", "dp", "dq", "qi")}
    public = rsa.RSAPublicNumbers(n["e"], n["n"])
    return rsa.RSAPrivateNumbers(n["p"], n["q"], n["d"], n["dp"], n["dq"], n["qi"], public).private_key()


class RecordedTpm:
    """A TPM that says what the vectors say, and notes what it is asked."""

    def __init__(self, values): self.values, self.asked, self.pcrs = values, [], {}

    def create_primary(self, template, hierarchy=None): return 1, self.values["ak_public"]

    def quote(self, key, qualifying, alg, pcrs):
        self.asked.append(qualifying)
        return self.values["quote"], self.values["quote_signature"]

    def certify(self, obj, key, qualifying):
        self.asked.append(qualifying)
        return self.values["certify_attest"], self.values["certify_signature"]

    def pcr_read(self, alg, pcrs): return {i: self.values["pcrs"][32 * i:32 * i + 32] for i in pcrs}

    def extend(self, pcr, digests):
        for alg, digest in digests:
            if alg == T.ALG_SHA256: self.pcrs[pcr] = hashlib.sha256(self.pcrs[pcr] + digest).digest()


class FixedSaltKey(C.TpmKey):
    """The agent's key in a TPM, which pads by itself; here the bare RSA operation is arithmetic."""

    def __init__(self, key, public=None):
        n = key.private_numbers()
        self.n, self.e, self.d = n.public_numbers.n, n.public_numbers.e, n.d
        self.jwk = C.SoftKey(key).jwk
        self.tpm, self.handle, self.raw, self.public = self, 1, True, public

    def rsa_private(self, handle, block):
        return pow(int.from_bytes(block, "big"), self.d, self.n).to_bytes(256, "big")


def check_key(name, values):
    ak = C.AttestationKey(RecordedTpm(values), b"")
    compare(name, "ak_spki", ak.spki, values["ak_spki"])
    compare(name, "device_key", ak.device_key, values["device_key"])
    return ak


def check_run(name, values, ak, keys, salt):
    os.urandom = lambda n: salt[:n]
    key = FixedSaltKey(rsa_key(keys["request_key"]), values.get("certify_public"))
    compare(name, "request_key_jwk", C.compact(key.jwk), values["request_key_jwk"])
    compare(name, "request", C.jws(json.loads(values["request_header"]), values["request_payload"], key), values["request"])
    compare(name, "proof", C.jws(json.loads(values["proof_header"]), values["proof_payload"], key), values["proof"])
    check_evidence(name, values, ak.tpm, ak, key)
    check_log(name, values)
    ak_key = rsa_key(keys["attestation_key"]).public_key()
    ak_key.verify(values["quote_signature"][6:], values["quote"], padding.PKCS1v15(), hashes.SHA256())
    if "enclave_report" in values: check_report(name, values, rsa_key(keys["secure_kernel_signing_key"]).public_key())
    check_claims(name, values)


def check_evidence(name, values, tpm, ak, key):
    """The agent builds its evidence from what the TPM says; what it asks the TPM to sign must be the same."""
    payload = json.loads(values["request_payload"])["att_data"]
    data = payload.get("report_signed", payload)
    init = {"challenge": C.b64u(values["challenge"]), "service_context": values["service_context"]}
    if "attest_key" in data:
        claim = C.platform_claim(ak, values["challenge"])
        compare(name, "current_claim", claim, values["current_claim"])
        compare(name, "qualifying_data", tpm.asked[-1], values["qualifying_data"])
        return
    certify = "certify_attest" in values
    ak.cert = C.unb64u(data["tpm_att_data"]["current_attestation"].get("aik_cert", ""))
    made = C.request_v2(ak, values["boot_log"], key, values["nonce"], init, None, certify, pcrs=range(24))
    own = json.loads(C.unb64u(made.split(".")[1]))["att_data"]
    for member in ("rp_data", "challenge", "tpm_att_data", "request_key", "service_context"):
        compare(name, member, own[member], data[member])
    compare(name, "qualifying_data", set(tpm.asked), {values["qualifying_data"]})


def check_log(name, values):
    """The agent's writer makes the same bytes of each event, and the PCRs follow from them."""
    tpm = RecordedTpm(values)
    tpm.pcrs = {i: bytes(32) if i < 17 or i == 23 else b"\xff" * 32 for i in range(24)}
    log, writer = values["boot_log"], B.BootLog(tpm, (T.ALG_SHA1, T.ALG_SHA256))
    compare(name, "boot_log header", log.startswith(writer.data), True)
    at, written = len(writer.data), 0
    while at < len(log):
        pcr, kind, count = struct.unpack("<III", log[at:at + 12])
        sha1, sha256 = log[at + 14:at + 34], log[at + 36:at + 68]
        size = struct.unpack("<I", log[at + 68:at + 72])[0]
        record, data = log[at:at + 72 + size], log[at + 72:at + 72 + size]
        at += 72 + size
        if kind == B.EV_NO_ACTION:
            tpm.pcrs[0] = bytes(31) + data[16:17]
            continue
        if hashlib.sha256(data).digest() == sha256:
            before = len(writer.data)
            writer.event(pcr, kind, data)
            compare(name, "boot_log event", writer.data[before:], record)
            written += 1
        else: tpm.extend(pcr, [(T.ALG_SHA1, sha1), (T.ALG_SHA256, sha256)])
    compare(name, "boot_log events written", written > 20, True)
    compare(name, "pcrs", b"".join(tpm.pcrs[i] for i in range(24)), values["pcrs"])


def check_report(name, values, signer):
    """By the layout of the agent's enclave.py, and the signature by cryptography."""
    report = values["enclave_report"]
    size, version, scheme, signed, signature, reserved = struct.unpack("<IIIIII", report[:24])
    compare(name, "enclave_report sizes", (size, 24 + signed + signature), (len(report), len(report)))
    compare(name, "enclave_data", hashlib.sha512(values["report_signed"].encode()).digest(), values["enclave_data"])
    compare(name, "enclave_report data", report[32:96], values["enclave_data"])
    compare(name, "report_signed", '"report_signed":' + values["report_signed"] + ',"vsm_report"' in values["request_payload"], True)
    signer.verify(report[24 + signed:], report[24:24 + signed], padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def check_claims(name, values):
    claims = json.loads(values["attestation_claims"])
    compare(name, "token confirms", claims["cnf"]["jwk"], json.loads(values["request_key_jwk"]))
    compare(name, "token names device", claims["aikPubHash"], values["device_key"])
    compare(name, "token has nonce", claims["nonce"], values["nonce"])


def check_enrolment(run, values, endorsement_key):
    """TPM 2.0 Part 1 24: what is in the credential, by cryptography's OAEP and a KDFa written here."""
    import hmac
    name = values["ak_name"]
    compare(run, "ak_name", b"\0\x0b" + hashlib.sha256(values["ak_public"]).digest(), name)
    kdfa = lambda label, context, bits: hmac.new(seed, struct.pack(">I", 1) + label + b"\0" + context + struct.pack(">I", bits), "sha256").digest()[:bits // 8]
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"IDENTITY\0")
    seed = rsa_key(endorsement_key).decrypt(values["encrypted_secret"][2:], oaep)
    blob = values["credential_blob"][2:]
    size = struct.unpack(">H", blob[:2])[0]
    mac, sealed = blob[2:2 + size], blob[2 + size:]
    integrity = hmac.new(kdfa(b"INTEGRITY", b"", 256), sealed + name, "sha256").digest()
    compare(run, "credential_blob", mac, integrity)
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    aes = Cipher(algorithms.AES(kdfa(b"STORAGE", name, 128)), modes.CFB(bytes(16))).decryptor()
    plain = aes.update(sealed) + aes.finalize()
    compare(run, "secret", plain, struct.pack(">H", len(values["secret"])) + values["secret"])
    certificate = x509.load_der_x509_certificate(values["aik_cert"])
    spki = certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    compare(run, "aik_cert", spki, values["ak_spki"])


keys = load("keys.json")
for path in sorted(os.listdir(os.path.join(vectors, "runs"))):
    run = load("runs/" + path)
    values = {v["name"]: bytes.fromhex(v["hex"]) if "hex" in v else v["text"] for v in run["values"]}
    ak = check_key(run["name"], values)
    if run["name"] == "enrolment": check_enrolment(run["name"], values, keys["endorsement_key"])
    else: check_run(run["name"], values, ak, keys["devices"][run["name"]], keys["pss_salt"].encode())
print(json.dumps(told))
