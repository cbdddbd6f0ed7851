#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace moonwire {

/// A move-only callable (std::move_only_function is C++23).
///
/// Callables up to `kInlineBytes` live inside the object, so posting a task between reactors or
/// arming a timer seldom allocates. Calling an empty Function is undefined. Not thread-safe.
template <typename Signature>
class Function;

template <typename R, typename... Args>
class Function<R(Args...)> {
public:
    static constexpr std::size_t kInlineBytes = 48;

    Function() noexcept = default;
    Function(std::nullptr_t) noexcept {}

    template <typename F>
        requires(!std::is_same_v<std::decay_t<F>, Function> &&
                 std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
    Function(F&& callable) {
        using Callable = std::decay_t<F>;
        if constexpr (fits_inline<Callable>) {
            ::new (storage_) Callable(std::forward<F>(callable));
            ops_ = &inline_ops<Callable>;
        } else {
            ::new (storage_) Callable*(new Callable(std::forward<F>(callable)));
            ops_ = &heap_ops<Callable>;
        }
    }

    Function(Function&& other) noexcept { take(other); }
    Function& operator=(Function&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~Function() { reset(); }

    explicit operator bool() const noexcept { return ops_ != nullptr; }
    R operator()(Args... args) { return ops_->call(storage_, std::forward<Args>(args)...); }

private:
    struct Ops {
        R (*call)(void*, Args&&...);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };

    template <typename C>
    static constexpr bool fits_inline = sizeof(C) <= kInlineBytes &&
                                        alignof(C) <= alignof(std::max_align_t) &&
                                        std::is_nothrow_move_constructible_v<C>;

    template <typename C>
    static constexpr Ops inline_ops{
        [](void* self, Args&&... args) -> R {
            return (*static_cast<C*>(self))(std::forward<Args>(args)...);
        },
        [](void* from, void* to) noexcept {
            ::new (to) C(std::move(*static_cast<C*>(from)));
            static_cast<C*>(from)->~C();
        },
        [](void* self) noexcept { static_cast<C*>(self)->~C(); }};

    template <typename C>
    static constexpr Ops heap_ops{
        [](void* self, Args&&... args) -> R {
            return (**static_cast<C**>(self))(std::forward<Args>(args)...);
        },
        [](void* from, void* to) noexcept { ::new (to) C*(*static_cast<C**>(from)); },
        [](void* self) noexcept { delete *static_cast<C**>(self); }};

    void take(Function& other) noexcept {
        if (other.ops_) {
            other.ops_->move(other.storage_, storage_);
            ops_ = std::exchange(other.ops_, nullptr);
        }
    }
    void reset() noexcept {
        if (ops_) std::exchange(ops_, nullptr)->destroy(storage_);
    }

    alignas(std::max_align_t) std::byte storage_[kInlineBytes];
    const Ops* ops_ = nullptr;
};

/// Work to run once.
using Task = Function<void()>;

}  // namespace moonwire
