#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>

namespace moonwire {

/// An immutable, reference-counted run of bytes in one allocation.
///
/// What a broadcast shares between its receivers and between reactors: copying costs one atomic
/// increment, never a byte. The bytes are written only while a single owner builds them
/// (`mutable_data`), before the first copy. Copies may live on any thread.
class SharedBytes {
public:
    SharedBytes() noexcept = default;

    /// `size` uninitialised bytes for the caller to fill.
    static SharedBytes allocate(std::size_t size);
    static SharedBytes copy(std::string_view bytes) { return concat({bytes}); }
    static SharedBytes concat(std::initializer_list<std::string_view> parts);

    SharedBytes(const SharedBytes& other) noexcept : block_(other.block_) {
        if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
    }
    SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    SharedBytes& operator=(SharedBytes other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~SharedBytes() {
        if (block_ && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) free_block();
    }

    const char* data() const noexcept { return block_ ? block_->bytes() : nullptr; }
    std::size_t size() const noexcept { return block_ ? block_->size : 0; }
    bool empty() const noexcept { return size() == 0; }
    std::string_view view() const noexcept { return {data(), size()}; }

    /// Another rendering of the same bytes, kept with them: `make` is called for the first to ask,
    /// while others wait, and the result shared by all copies. Not for empty bytes. Any thread.
    template <typename Make>
    SharedBytes twin(Make&& make) const {
        if (Block* made = block_->twin.load(std::memory_order_acquire)) return sharing(made);
        std::lock_guard lock(twin_mutex(block_));
        if (Block* made = block_->twin.load(std::memory_order_relaxed)) return sharing(made);
        SharedBytes made = make();
        if (!made.block_) made = allocate(0);  // so that it is known to be none
        block_->twin.store(made.block_, std::memory_order_release);
        return sharing(std::exchange(made.block_, nullptr));
    }

    /// Only before the first copy is made.
    char* mutable_data() noexcept { return block_ ? block_->bytes() : nullptr; }

private:
    struct Block {
        std::atomic<std::uint32_t> references;
        std::size_t size;
        std::atomic<Block*> twin;  // holds a reference
        char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
    };
    explicit SharedBytes(Block* block) noexcept : block_(block) {}
    static SharedBytes sharing(Block* block) noexcept {
        block->references.fetch_add(1, std::memory_order_relaxed);
        return SharedBytes(block);
    }
    /// One of a few, by address.
    static std::mutex& twin_mutex(const Block* block) noexcept;
    void free_block() noexcept;

    Block* block_ = nullptr;
};

}  // namespace moonwire
