#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
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

    /// Only before the first copy is made.
    char* mutable_data() noexcept { return block_ ? block_->bytes() : nullptr; }

private:
    struct Block {
        std::atomic<std::uint32_t> references;
        std::size_t size;
        char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
    };
    explicit SharedBytes(Block* block) noexcept : block_(block) {}
    void free_block() noexcept;

    Block* block_ = nullptr;
};

}  // namespace moonwire
