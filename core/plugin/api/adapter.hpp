#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "values.hpp"

namespace moonwire::plugin {

/// Which sockets of a namespace, on every node: members of any of `rooms`, or all of them if it
/// names none, but no member of one in `except`. A socket's id is a room of its own.
struct ClusterTarget {
    std::vector<std::string> rooms = {}, except = {};
};

/// An event for clients.
struct ClusterBroadcast {
    ClusterTarget target = {};
    Values packet = {};  // `["event",arguments…]`
    bool is_volatile = false;
    bool compress = true;
};

struct ClusterJoin {
    ClusterTarget target = {};
    std::vector<std::string> rooms = {};
};

struct ClusterLeave {
    ClusterTarget target = {};
    std::vector<std::string> rooms = {};
};

/// Puts sockets out of the namespace; with `close` their connections end.
struct ClusterDisconnect {
    ClusterTarget target = {};
    bool close = false;
};

/// An event for the other nodes' scripts (`ns:on_server`).
struct ClusterServerEmit {
    Values packet = {};  // `["event",arguments…]`
};

/// What one node tells the others about one namespace; nobody answers.
struct ClusterMessage {
    std::string nsp;  // a namespace, or a family's pattern ("/tenant/:name") for all its members
    std::variant<ClusterBroadcast, ClusterJoin, ClusterLeave, ClusterDisconnect, ClusterServerEmit>
        what = {};
};

/// Carries messages between the nodes of a cluster: to every other node, each once, and what they
/// say to Host::receive. Node's namespaces and rooms are the same, so an adapter may translate to
/// its adapters' wire forms.
class Adapter {
public:
    virtual ~Adapter() = default;
    /// Sends to all other nodes, and never to this one, which has done its part itself. Called on
    /// reactors, several at a time, from Plugin::start until Plugin::stop; messages of one
    /// namespace in their order. Must return soon: queue it, with a limit. What it throws is
    /// logged; the message is then lost to the other nodes, and nobody here notices.
    virtual void publish(ClusterMessage message) = 0;
};

/// What became of a message that another node sent.
enum class Receipt : std::uint8_t {
    taken,
    unknown_namespace,  // nobody here is concerned
    invalid,  // no event, a reserved one, malformed JSON, a missing attachment; it is logged
    full,     // too much of it waits here; dropped, and logged
};

}  // namespace moonwire::plugin
