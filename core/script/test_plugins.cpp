#include "core/script/test_plugins.hpp"

#include <rapidjson/document.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/function.hpp"
#include "core/script/once.hpp"

namespace moonwire::script {

struct TestPlugins::Inbox {
    std::mutex mutex;
    std::condition_variable answered;
    std::vector<Task> answers;  // given, and not yet given on
    std::size_t pending = 0;    // calls whose answer was not given on yet

    /// What a plugin gets for `answer`.
    template <typename T>
    static std::function<void(T)> receive(const std::shared_ptr<Inbox>& inbox,
                                          std::function<void(T)> answer, T fallback) {
        {
            std::lock_guard lock(inbox->mutex);
            ++inbox->pending;
        }
        return share_once<T>(
            [inbox, answer = std::move(answer)](T value) mutable {
                std::lock_guard lock(inbox->mutex);
                inbox->answers.push_back([answer = std::move(answer),
                                          value = std::move(value)]() mutable { answer(value); });
                inbox->answered.notify_one();
            },
            std::move(fallback));
    }
};

namespace {

constexpr std::string_view kTestToken = "moonwire-test:";

/// The claims of a test's token.
std::string_view claims_of(std::string_view token) {
    return token.substr(token.find(':', kTestToken.size()) + 1);
}

/// What a plugin's `verify(token)` is asked, if it is a test's token.
std::optional<std::string> test_token_of(const plugin::Call& call) {
    rapidjson::Document arguments;
    arguments.Parse(call.arguments.json.data(), call.arguments.json.size());
    if (!arguments.IsArray() || arguments.Empty() || !arguments[0].IsString()) return std::nullopt;
    std::string token(arguments[0].GetString(), arguments[0].GetStringLength());
    if (!token.starts_with(kTestToken)) return std::nullopt;
    return token;
}

}  // namespace

std::string TestPlugins::token_for(const std::string& claims_json, double expires) {
    return std::string(kTestToken) + std::to_string(expires) + ":" + claims_json;
}

/// Takes the tests' own tokens, and asks the plugin about others.
class TestPlugins::TestAuthenticator final : public plugin::Authenticator {
public:
    TestAuthenticator(std::shared_ptr<Inbox> inbox, std::shared_ptr<plugin::Authenticator> inner)
        : inbox_(std::move(inbox)), inner_(std::move(inner)) {}

    void verify(plugin::Credentials credentials,
                std::function<void(plugin::Verdict)> decide) override {
        const std::string& token = credentials.token;
        if (token.starts_with(kTestToken)) {
            return decide(plugin::Verdict::accept(std::string(claims_of(token)),
                                                  std::atof(token.c_str() + kTestToken.size())));
        }
        inner_->verify(std::move(credentials),
                       Inbox::receive<plugin::Verdict>(
                           inbox_, std::move(decide),
                           plugin::Verdict::refuse("unavailable", "tokens can't be verified now")));
    }

private:
    const std::shared_ptr<Inbox> inbox_;
    const std::shared_ptr<plugin::Authenticator> inner_;
};

TestPlugins::TestPlugins() : inbox_(std::make_shared<Inbox>()) {}

std::shared_ptr<const Extensions> TestPlugins::wrap(
    const std::shared_ptr<const Extensions>& original) {
    if (!original) return nullptr;
    auto wrapped = std::make_shared<Extensions>(*original);
    for (auto& [plugin, module] : wrapped->modules) {
        module.wanted = nullptr;  // nothing outside is reached for
        for (auto& [name, function] : module.waiting)
            function = [inbox = inbox_, function = function, function_name = name,
                        name = "plugin." + plugin + "." + name](
                           plugin::Call call, plugin::Reply reply) {
                // By hand, too, a script may verify the tests' own tokens.
                if (function_name == "verify")
                    if (const auto token = test_token_of(call))
                        return reply(plugin::Answer::values(
                            "[" + std::string(claims_of(*token)) + "]"));
                function(std::move(call), Inbox::receive<plugin::Answer>(
                                              inbox, std::move(reply),
                                              plugin::Answer::error(name + " gave no answer")));
            };
    }
    if (original->authenticator)
        wrapped->authenticator =
            std::make_shared<TestAuthenticator>(inbox_, original->authenticator);
    return wrapped;
}

bool TestPlugins::settle(TimePoint deadline) {
    std::vector<Task> answers;
    {
        std::unique_lock lock(inbox_->mutex);
        if (inbox_->pending == 0) return false;
        inbox_->answered.wait_until(lock, deadline, [&] { return !inbox_->answers.empty(); });
        answers = std::exchange(inbox_->answers, {});
        inbox_->pending -= answers.size();
    }
    for (Task& answer : answers) answer();
    return !answers.empty();
}

}  // namespace moonwire::script
