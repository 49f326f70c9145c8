// A sketch of the one function that an agent over Microsoft's attestation client library has to bring, for
// Countersign. The library makes each message of Azure Attestation's TPM protocol and reads each answer;
// whoever uses it carries them. C++17; the HTTP client is the agent's own.
//
// SPDX-License-Identifier: Apache-2.0

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace countersign {

struct HttpAnswer {
    int status;
    std::string body;
};

/// POSTs `body` to `url` with `Content-Type: application/json`, over TLS whose certificate is checked, with no
/// redirect followed. Throws when there is no answer: then the library has to begin anew, with a new challenge.
using HttpPost = std::function<HttpAnswer(const std::string& url, const std::string& body)>;

/// The service refused, or asks to come later (429, 503). `body` has Azure's error form: `error.code`,
/// `error.message` and, of Countersign, `error.innererror`.
struct Refused : std::runtime_error {
    Refused(int status, std::string body)
        : std::runtime_error("the service answered " + std::to_string(status)),
          status(status), body(std::move(body)) {}
    int status;
    std::string body;
};

/// RFC 4648 §5 without padding.
inline std::string to_base64url(std::string_view bytes) {
    static constexpr char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    std::uint32_t bits = 0;
    int held = 0;
    for (unsigned char byte : bytes) {
        bits = bits << 8 | byte;
        for (held += 8; held >= 6;) {
            held -= 6;
            text += alphabet[bits >> held & 63];
        }
        bits &= (1u << held) - 1;
    }
    if (held > 0) text += alphabet[bits << (6 - held) & 63];
    return text;
}

inline std::string from_base64url(std::string_view text) {
    std::string bytes;
    std::uint32_t bits = 0;
    int held = 0;
    for (char c : text) {
        int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                    : c >= 'a' && c <= 'z' ? c - 'a' + 26
                    : c >= '0' && c <= '9' ? c - '0' + 52
                    : c == '-'             ? 62
                    : c == '_'             ? 63
                                           : -1;
        if (value < 0) throw std::runtime_error("the answer is not base64url");
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xfff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes += static_cast<char>(bits >> held & 0xff);
        }
    }
    return bytes;
}

/// The member `data` of `{"data": "…"}`, which has no character that JSON would escape.
inline std::string_view data_of(std::string_view json) {
    const auto name = json.find("\"data\"");
    const auto begin = name == json.npos ? json.npos : json.find('"', name + 6);
    const auto end = begin == json.npos ? json.npos : json.find('"', begin + 1);
    if (end == json.npos) throw std::runtime_error("the answer has no data");
    return json.substr(begin + 1, end - begin - 1);
}

/// Sends one message of the library, UTF-8 JSON such as `{"payload":{"type":"aikcert"}}`, and gives the
/// message that answers it. `service` is the public URL of Countersign, without a slash at its end.
inline std::string send_to_att_service(const std::string& service, std::string_view message,
                                       const HttpPost& post) {
    const auto url = service + "/attest/Tpm?api-version=2025-06-01";
    const auto answer = post(url, "{\"data\":\"" + to_base64url(message) + "\"}");
    if (answer.status != 200) throw Refused(answer.status, answer.body);
    return from_base64url(data_of(answer.body));
}

}  // namespace countersign
