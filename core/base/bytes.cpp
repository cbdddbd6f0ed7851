#include "core/base/bytes.hpp"

#include <array>
#include <cstdlib>
#include <functional>
#include <new>

namespace moonwire {

SharedBytes SharedBytes::allocate(std::size_t size) {
    void* memory = std::malloc(sizeof(Block) + size);
    if (!memory) throw std::bad_alloc();
    auto* block = ::new (memory) Block{};
    block->references.store(1, std::memory_order_relaxed);
    block->size = size;
    return SharedBytes(block);
}

SharedBytes SharedBytes::concat(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (auto part : parts) size += part.size();
    SharedBytes result = allocate(size);
    char* to = result.mutable_data();
    for (auto part : parts) {
        if (!part.empty()) std::memcpy(to, part.data(), part.size());
        to += part.size();
    }
    return result;
}

std::mutex& SharedBytes::twin_mutex(const Block* block) noexcept {
    static std::array<std::mutex, 16> mutexes;
    return mutexes[std::hash<const void*>()(block) / alignof(std::max_align_t) % mutexes.size()];
}

void SharedBytes::free_block() noexcept {
    SharedBytes(block_->twin.load(std::memory_order_relaxed));
    block_->~Block();
    std::free(block_);
}

}  // namespace moonwire
