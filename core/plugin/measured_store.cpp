#include "core/plugin/measured_store.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace moonwire::plugin {
namespace {

constexpr std::array<std::string_view, 8> kKnown{
    kStoreBusy,           kStoreListFull,      kStoreDiskFull,         kStoreTooManyKeys,
    kStoreTooManyStreams, kStoreTooManyQueues, kStoreTooManySchedules, kStoreClosed};

constexpr const char* kOther = "other";

std::uint64_t bytes_of(const StoreOperation& operation) {
    if (const auto* set = std::get_if<StoreSet>(&operation)) return set->value.size();
    if (const auto* append = std::get_if<StoreAppend>(&operation)) return append->value.size();
    return 0;
}

std::uint64_t bytes_of(const StoreResult& result) {
    std::uint64_t bytes = result.value.size();
    for (const StoreEntry& each : result.entries) bytes += each.value.size();
    for (const StoreItem& each : result.items) bytes += each.value.size();
    return bytes;
}

}  // namespace

MeasuredStore::MeasuredStore(std::unique_ptr<Store> inner) : inner_(std::move(inner)) {
    for (const std::string_view each : kKnown) figures_.errors[std::string(each)] = 0;
    figures_.errors[kOther] = 0;
}

void MeasuredStore::execute(StoreRequest request, StoreCompletion completion) {
    bool write = false;
    std::uint64_t bytes = 0;
    for (const StoreOperation& each : request.operations) {
        write = write || is_write(each);
        bytes += bytes_of(each);
    }
    {
        std::lock_guard lock(mutex_);
        ++(write ? figures_.writes : figures_.reads);
        ++figures_.waiting;
    }
    inner_->execute(std::move(request), [this, write, bytes, asked = Clock::now(),
                                         completion = std::move(completion)](StoreReply reply) {
        count(write, Clock::now() - asked, bytes, reply);
        completion(std::move(reply));
    });
}

void MeasuredStore::count(bool write, Duration took, std::uint64_t bytes_written,
                          const StoreReply& reply) {
    std::uint64_t bytes_read = 0;
    for (const StoreResult& each : reply.results) bytes_read += bytes_of(each);
    std::lock_guard lock(mutex_);
    --figures_.waiting;
    (write ? write_time_ : read_time_).add(took);
    if (reply.error.empty()) {
        figures_.bytes_written += bytes_written;
        figures_.bytes_read += bytes_read;
        return;
    }
    const auto known = figures_.errors.find(reply.error);
    ++(known == figures_.errors.end() ? figures_.errors[kOther] : known->second);
}

StoreFigures MeasuredStore::figures() const {
    std::lock_guard lock(mutex_);
    StoreFigures figures = figures_;
    figures.read_time = read_time_.snapshot();
    figures.write_time = write_time_.snapshot();
    return figures;
}

}  // namespace moonwire::plugin
