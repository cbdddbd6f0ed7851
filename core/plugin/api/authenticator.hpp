#pragma once

#include <functional>
#include <string>

namespace moonwire::plugin {

/// What a client showed, and who showed it.
struct Credentials {
    std::string token;  // never logged
    std::string address;
};

/// Whom a token stands for, or why it stands for nobody.
struct Verdict {
    bool accepted = false;
    std::string claims_json = {};  // of the accepted: an object
    double expires = 0;            // seconds since the epoch; 0: never
    std::string code = {};     // of a refusal: "unauthorized", "token_expired", "unavailable", …
    std::string message = {};  // for the client and the log: nothing of the token's

    static Verdict accept(std::string claims_json, double expires = 0) {
        return {true, std::move(claims_json), expires};
    }
    static Verdict refuse(std::string code, std::string message) {
        return {false, {}, 0, std::move(code), std::move(message)};
    }
};

/// Verifies the tokens of handshakes (`ns:require_auth`), routes (`roles`) and `socket:refresh`.
/// There is at most one.
class Authenticator {
public:
    virtual ~Authenticator() = default;
    /// `decide` is called once, from any thread, now or later. Called on reactors, several at a
    /// time, which it must not block. Throwing, or dropping `decide`, refuses.
    virtual void verify(Credentials credentials, std::function<void(Verdict)> decide) = 0;
};

}  // namespace moonwire::plugin
