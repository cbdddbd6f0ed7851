#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "core/base/function.hpp"

namespace moonwire::script {

/// A promise to answer: called once with the answer, or, when it is dropped without one (its
/// coroutine was cancelled, its namespace is gone), with the fallback. Move-only.
template <typename T>
class Once {
public:
    Once(Function<void(T)> answer, T fallback)
        : answer_(std::move(answer)), fallback_(std::move(fallback)) {}
    Once(Once&& other) noexcept
        : answer_(std::move(other.answer_)), fallback_(std::move(other.fallback_)) {}
    Once& operator=(Once&&) = delete;
    ~Once() {
        if (answer_) (*this)(std::move(fallback_));
    }
    void operator()(T value) {
        if (auto answer = std::move(answer_)) answer(std::move(value));
    }

private:
    Function<void(T)> answer_;
    T fallback_;
};

/// The same as a plugin gets it: may be copied, and called on any thread. The first call counts;
/// when the last copy goes uncalled, the fallback does.
template <typename T>
std::function<void(T)> share_once(Function<void(T)> answer, T fallback) {
    struct Shared {
        explicit Shared(Once<T> once) : once(std::move(once)) {}
        Once<T> once;
        std::once_flag called;
    };
    auto shared = std::make_shared<Shared>(Once<T>(std::move(answer), std::move(fallback)));
    return [shared = std::move(shared)](T value) {
        std::call_once(shared->called, [&] { shared->once(std::move(value)); });
    };
}

}  // namespace moonwire::script
