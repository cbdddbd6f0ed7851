#include "core/script/test_plugins.hpp"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
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
            const std::size_t colon = token.find(':', kTestToken.size());
            return decide(plugin::Verdict::accept(token.substr(colon + 1),
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
            function = [inbox = inbox_, function = function, name = "plugin." + plugin + "." + name](
                           plugin::Call call, plugin::Reply reply) {
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
