#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/function.hpp"
#include "core/base/reactor.hpp"

namespace moonwire::transport {

/// Looks host names up with the system's resolver, which can only be waited for: on threads of its
/// own, which end when there is nothing to do.
///
/// Asio's resolver has one thread, whose end the loop's waits for: a name server that does not
/// answer would hold up all other names, and the broker's end. Here up to kThreads names are looked
/// up at a time, and those under way are left behind by `stop`. One reactor, but for `stop`.
class NameLookup {
public:
    using Endpoint = boost::asio::ip::tcp::endpoint;
    using Done = Function<void(boost::system::error_code, std::vector<Endpoint>)>;

    static constexpr int kThreads = 4;

    explicit NameLookup(Reactor& reactor);
    ~NameLookup() { stop(); }
    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;

    /// `done` is called on the reactor, from the loop; or destroyed uncalled, on any thread, if
    /// `wanted` was dropped while it waited for its turn, and after `stop`.
    void find(std::string host, std::uint16_t port, std::weak_ptr<const void> wanted, Done done);
    /// Any thread.
    void stop();

private:
    struct State;
    const std::shared_ptr<State> state_;  // shared with the threads
};

}  // namespace moonwire::transport
