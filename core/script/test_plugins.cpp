#include "core/script/test_plugins.hpp"

#include <condition_variable>
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

TestPlugins::TestPlugins() : inbox_(std::make_shared<Inbox>()) {}

std::shared_ptr<const Extensions> TestPlugins::wrap(
    const std::shared_ptr<const Extensions>& original) {
    if (!original) return nullptr;
    auto wrapped = std::make_shared<Extensions>(*original);
    for (auto& [plugin, module] : wrapped->modules)
        for (auto& [name, function] : module.waiting)
            function = [inbox = inbox_, function, name = "plugin." + plugin + "." + name](
                           plugin::Call call, plugin::Reply reply) {
                function(std::move(call), Inbox::receive<plugin::Answer>(
                                              inbox, std::move(reply),
                                              plugin::Answer::error(name + " gave no answer")));
            };
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
