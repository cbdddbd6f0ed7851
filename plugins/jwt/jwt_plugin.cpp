// The plugin "jwt": verifies JSON Web Tokens, for `ns:require_auth` and for scripts; signs them.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>

#include "core/plugin/api/plugin.hpp"
#include "plugins/jwt/key_ring.hpp"
#include "plugins/jwt/signer.hpp"
#include "plugins/jwt/verifier.hpp"

namespace moonwire::jwt {
namespace {

using namespace plugin;

constexpr std::size_t kWeakSecretBytes = 32;  // RFC 7518, section 3.2

double wall_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Verifies what it is given, with newer keys if those that there are don't do. Any thread.
class JwtAuthenticator final : public Authenticator {
public:
    JwtAuthenticator(KeyRing& ring, Rules rules) : ring_(ring), rules_(std::move(rules)) {}

    void verify(Credentials credentials, std::function<void(Verdict)> decide) override {
        attempt(std::move(credentials.token), false,
                [this, decide = std::move(decide)](Verdict verdict) {
                    count(verdict);
                    decide(std::move(verdict));
                });
    }
    /// What became of the tokens so far.
    MetricFamily figures() const {
        MetricFamily tokens{"jwt_tokens_total", "Tokens that were looked at, by what came of it.",
                            MetricKind::counter, {"verdict"}, {}, {}};
        for (std::size_t i = 0; i < kVerdicts.size(); ++i)
            tokens.samples.push_back({{kVerdicts[i]}, static_cast<double>(counts_[i].load()), {}});
        return tokens;
    }

private:
    static constexpr std::array kVerdicts = {"accepted", "token_expired", "unavailable",
                                             "unauthorized"};

    void count(const Verdict& verdict) {
        std::size_t i = 0;
        if (!verdict.accepted)
            for (i = 1; i + 1 < kVerdicts.size() && verdict.code != kVerdicts[i];) ++i;
        counts_[i].fetch_add(1, std::memory_order_relaxed);
    }
    void attempt(std::string token, bool again, std::function<void(Verdict)> decide) {
        const auto now = std::chrono::steady_clock::now();
        const bool asked =
            ring_.with_keys(again, now, [this, token, again, decide](const KeyRing::Keys& keys) {
                if (keys->empty())
                    return decide(Verdict::refuse("unavailable", "there are no keys now"));
                Verified verified = verify_token(token, *keys, rules_, wall_now());
                if (verified.newer_keys_may_help && !again) return attempt(token, true, decide);
                decide(std::move(verified.verdict));
            });
        if (!asked) decide(Verdict::refuse("unavailable", "too many wait for keys"));
    }

    KeyRing& ring_;
    const Rules rules_;
    std::array<std::atomic<std::uint64_t>, kVerdicts.size()> counts_{};
};

class JwtPlugin final : public Plugin {
public:
    void configure(Host& host, Settings& settings) override {
        host_ = &host;
        read_keys(settings);
        for (Settings& each : settings.tables("key")) read_key(each);
        read_sets(settings);
        if (!any_key_) ring_.add(made_up_key());
        rules_.issuers = settings.texts("issuer");
        rules_.audiences = settings.texts("audience");
        rules_.leeway = static_cast<double>(settings.integer("leeway_seconds", 0, 0, 3600));
        rules_.require_exp = settings.boolean("require_exp", true);
        authenticator_ = std::make_shared<JwtAuthenticator>(ring_, rules_);
        host.provide(authenticator_);
        host.provide(MetricsSource(
            [this](Metrics& all) { all.push_back(authenticator_->figures()); }));
        Module module;
        module.immediate["sign"] = [this](const Call& call) { return sign_for_script(call); };
        module.waiting["verify"] = [this](Call call, Reply reply) {
            verify_for_script(call, std::move(reply));
        };
        host.provide(std::move(module));
    }

    void start() override {
        if (!any_key_)
            host_->log(LogLevel::warn,
                       "no key is set, so one was made up: only tokens that scripts here sign are "
                       "good, and only until this process ends");
    }

private:
    /// An empty secret, such as that of a variable which is not set, is none.
    void read_keys(Settings& settings) {
        if (!settings.text("secret").empty() || settings.has("secret_file") || settings.has("file"))
            return read_key(settings);
        for (const char* key : {"id", "algorithm"})
            if (settings.has(key))
                settings.fail(key, "there is no secret, secret_file or file beside it");
    }

    /// One of secret, secret_file and file, with its id and algorithm.
    void read_key(Settings& settings) {
        const std::string id = settings.text("id"), algorithm = settings.text("algorithm");
        const std::string secret = settings.text("secret");
        const std::string secret_file = settings.path("secret_file"), file = settings.path("file");
        any_key_ = true;
        if (!algorithm.empty() && !is_algorithm(algorithm))
            return settings.fail("algorithm",
                                 "expected HS256, RS256, PS256 or ES256, or these with "
                                 "384 or 512, or EdDSA");
        const int given = !secret.empty() + !secret_file.empty() + !file.empty();
        if (given != 1) return settings.fail("", "expected one of secret, secret_file and file");
        if (!secret.empty()) {
            add(settings, "secret", [&] { ring_.add(secret_key(id, secret, algorithm)); });
            if (secret.size() < kWeakSecretBytes)
                host_->log(LogLevel::warn,
                           "the secret is shorter than 32 bytes: it may be guessed");
        } else if (!secret_file.empty()) {
            add(settings, "secret_file",
                [&] { ring_.add(KeyFile(KeyFile::Kind::secret, secret_file, id, algorithm)); });
        } else {
            add(settings, "file",
                [&] { ring_.add(KeyFile(KeyFile::Kind::pem, file, id, algorithm)); });
        }
    }

    void read_sets(Settings& settings) {
        if (const std::string file = settings.path("jwks_file"); !file.empty()) {
            any_key_ = true;
            add(settings, "jwks_file",
                [&] { ring_.add(KeyFile(KeyFile::Kind::jwks, file, {}, {})); });
        }
        const auto max_age = settings.integer("jwks_max_age_seconds", 300, 10, 86'400);
        const std::string url = settings.text("jwks_url");
        if (url.empty()) return;
        any_key_ = true;
        if (!url.starts_with("https://") && !url.starts_with("http://"))
            return settings.fail("jwks_url", "expected an https:// or http:// URL");
        if (url.starts_with("http://"))
            host_->log(LogLevel::warn,
                       "jwks_url is not https: on its way anybody may change the keys");
        if (!settings.has("audience"))
            host_->log(LogLevel::warn,
                       "jwks_url without audience: tokens that the issuer made for "
                       "others are accepted, too");
        ring_.fetch_by([this, url](auto done) { fetch(url, std::move(done)); },
                       std::chrono::seconds(max_age));
    }

    template <typename Add>
    static void add(Settings& settings, const char* key, Add&& add) {
        try {
            add();
        } catch (const std::runtime_error& problem) {
            settings.fail(key, problem.what());
        }
    }

    void fetch(const std::string& url, std::function<void(std::string, std::string)> done) {
        OutgoingHttp request;
        request.url = url;
        request.headers = {{"accept", "application/json"}};
        request.timeout = std::chrono::seconds(10);
        host_->request(std::move(request), [done = std::move(done)](HttpAnswer answer) {
            if (!answer.error.empty()) return done({}, std::move(answer.error));
            if (answer.response.status != 200)
                return done({}, "status " + std::to_string(answer.response.status));
            done(std::move(answer.response.body), {});
        });
    }

    /// `verify(token)`: the claims; raises fail("unauthorized", …) and the like.
    void verify_for_script(const Call& call, Reply reply) {
        rapidjson::Document arguments;
        arguments.Parse(call.arguments.json.data(), call.arguments.json.size());
        const bool has_text = arguments.IsArray() && !arguments.Empty() && arguments[0].IsString();
        if (!has_text) return reply(Answer::failure("unauthorized", "no token"));
        authenticator_->verify({{arguments[0].GetString(), arguments[0].GetStringLength()}, {}},
                               [reply = std::move(reply)](Verdict verdict) {
                                   if (verdict.accepted)
                                       reply(Answer::values("[" + verdict.claims_json + "]"));
                                   else reply(Answer::failure(verdict.code, verdict.message));
                               });
    }

    /// `sign(claims, seconds)`: the token; raises what a SignError says.
    Answer sign_for_script(const Call& call) {
        rapidjson::Document arguments;
        arguments.Parse(call.arguments.json.data(), call.arguments.json.size());
        if (!arguments.IsArray() || arguments.Size() < 2 || !arguments[1].IsNumber())
            return Answer::failure("invalid", "sign(claims, seconds): both are needed");
        rapidjson::StringBuffer claims;
        rapidjson::Writer<rapidjson::StringBuffer> writer(claims);
        arguments[0].Accept(writer);
        try {
            const std::string token =
                sign_token({claims.GetString(), claims.GetSize()}, arguments[1].GetDouble(),
                           *ring_.keys(std::chrono::steady_clock::now()), rules_, wall_now());
            return Answer::values("[\"" + token + "\"]");
        } catch (const SignError& problem) {
            return Answer::failure(problem.code, problem.what());
        }
    }

    Host* host_ = nullptr;
    Rules rules_;
    KeyRing ring_{[this](const std::string& message, const std::string& reason) {
        host_->log(LogLevel::warn, message, {{"reason", reason}});
    }};
    bool any_key_ = false;
    std::shared_ptr<JwtAuthenticator> authenticator_;
};

}  // namespace
}  // namespace moonwire::jwt

MOONWIRE_PLUGIN("jwt", moonwire::jwt::JwtPlugin)
