#include "core/transport/name_lookup.hpp"

#include <netdb.h>

#include <boost/asio/error.hpp>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace moonwire::transport {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

boost::system::error_code as_error(int code) {
    switch (code) {
        case 0: return {};
        case EAI_AGAIN: return asio::error::host_not_found_try_again;
        case EAI_NONAME:
        case EAI_NODATA: return asio::error::host_not_found;
        default: return {code, asio::error::get_addrinfo_category()};
    }
}

/// Waits for the system's resolver.
boost::system::error_code look_up(const std::string& host, std::uint16_t port,
                                  std::vector<tcp::endpoint>& endpoints) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    for (const addrinfo* each = code == 0 ? found : nullptr; each; each = each->ai_next) {
        tcp::endpoint endpoint;
        if (each->ai_addrlen > endpoint.capacity()) continue;
        endpoint.resize(each->ai_addrlen);
        std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
        endpoint.port(port);
        endpoints.push_back(endpoint);
    }
    if (code == 0) freeaddrinfo(found);
    return as_error(code);
}

}  // namespace

struct NameLookup::State {
    struct Job {
        std::string host;
        std::uint16_t port;
        std::weak_ptr<const void> wanted;
        Done done;
    };

    /// What a thread does: job by job, until there is none.
    static void work(const std::shared_ptr<State>& state) {
        std::unique_lock lock(state->mutex);
        while (!state->jobs.empty()) {
            Job job = std::move(state->jobs.front());
            state->jobs.pop_front();
            if (job.wanted.expired()) continue;
            lock.unlock();
            std::vector<Endpoint> found;
            const auto error = look_up(job.host, job.port, found);
            lock.lock();
            if (!state->reactor) continue;
            state->reactor->post([done = std::move(job.done), error,
                                  found = std::move(found)]() mutable {
                done(error, std::move(found));
            });
        }
        --state->threads;
    }

    std::mutex mutex;
    Reactor* reactor;  // null once stopped
    std::deque<Job> jobs;
    int threads = 0;
};

NameLookup::NameLookup(Reactor& reactor) : state_(std::make_shared<State>()) {
    state_->reactor = &reactor;
}

void NameLookup::find(std::string host, std::uint16_t port, std::weak_ptr<const void> wanted,
                      Done done) {
    std::lock_guard lock(state_->mutex);
    if (!state_->reactor) return;
    state_->jobs.push_back({std::move(host), port, std::move(wanted), std::move(done)});
    if (state_->threads == kThreads) return;
    try {
        std::thread([state = state_] { State::work(state); }).detach();
        ++state_->threads;
    } catch (const std::system_error&) {
        // No more threads: one that works already will come to it, or the next one that starts.
    }
}

void NameLookup::stop() {
    std::deque<State::Job> dropped;
    std::lock_guard lock(state_->mutex);
    state_->reactor = nullptr;
    dropped.swap(state_->jobs);
}

}  // namespace moonwire::transport
