#pragma once

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

}  // namespace moonwire::script
