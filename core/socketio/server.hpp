#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/reactor.hpp"
#include "core/engineio/session.hpp"
#include "core/socketio/group.hpp"
#include "core/socketio/inbound_rate.hpp"
#include "core/socketio/namespace.hpp"

namespace moonwire::socketio {

/// Limits of the Socket.IO layer.
struct ServerOptions {
    std::chrono::milliseconds connect_timeout{45'000};  // to join a first namespace
    std::size_t max_attachments = 10;                   // a packet
    std::size_t max_namespaces = 100;                   // a connection
    std::size_t max_family_members = 10'000;            // children of a parameterised namespace
    std::uint32_t max_events_in_flight = 1'000;         // a socket; beyond: answered `busy`
    InboundRates inbound;                               // a socket
    bool keep_empty = false;  // children of a parameterised namespace stay when empty
    NamespaceOptions nsp;
};

/// The namespaces of the broker, and the door through which sessions come in.
///
/// The directory (add, remove, find) may be used from any thread; sessions arrive on theirs.
class Server final : public engineio::SessionListener {
public:
    Server(ServerOptions options, std::vector<Reactor*> reactors);
    ~Server() override;

    const ServerOptions& options() const noexcept { return options_; }

    /// Adds `/name` or a family `/tenant/:name`, whose members are made when a client first asks
    /// for one and go when empty. An error if the name is malformed or taken.
    Result<void> add(std::string name, Reactor& home, std::shared_ptr<NamespaceHandler> handler);
    /// Clients of `name` are led to `target`, and see `name`.
    Result<void> add_alias(std::string name, std::string target);
    /// Disconnects the sockets ("server namespace disconnect") and forgets the namespace or family.
    void remove(std::string_view name);

    /// Nothing if there is none now.
    std::shared_ptr<Namespace> find(std::string_view name) const;
    /// What a name means now: a namespace's, a family's, or, with other nodes, that of a family's
    /// member that is not here. Nothing if it means nothing.
    std::optional<Group> group(std::string_view name) const;
    /// All there are now, members of families included.
    std::vector<std::shared_ptr<Namespace>> namespaces() const;
    /// The members of a family now.
    std::vector<std::shared_ptr<Namespace>> members(std::string_view family) const;

    /// Of every namespace, and of every family all members together, those that have gone, too.
    std::vector<NamespaceFigures> figures() const;

    /// From now on new sessions and CONNECTs are refused, and sockets end with the reason "server
    /// shutting down" when their sessions are closed. Any thread.
    void shut_down() { shutting_down_ = true; }
    bool shutting_down() const noexcept { return shutting_down_; }

    std::shared_ptr<engineio::SessionHandler> on_session(
        std::shared_ptr<engineio::Session> session) override;

private:
    friend class Client;
    struct Entry {
        std::shared_ptr<Namespace> nsp;
        std::string family;        // the pattern; empty for a namespace of its own
        std::size_t arriving = 0;  // clients on their way to its reactor: it must not go now
    };
    struct Family {
        Reactor* home;
        std::shared_ptr<NamespaceHandler> handler;
        std::size_t members = 0;
        NamespaceFigures gone;  // of the members that were
    };

    /// The namespace that the CONNECT of a client at this address means, made if a family has it.
    /// It stays at least until `arrived`.
    std::shared_ptr<Namespace> arrive(std::string_view wire_name, std::string_view address);
    void arrived(const std::shared_ptr<Namespace>& nsp);
    /// With the mutex held.
    std::vector<std::shared_ptr<Namespace>> members_of(std::string_view family) const;
    void forget_if_empty(const std::shared_ptr<Namespace>& nsp);

    const ServerOptions options_;
    const std::vector<Reactor*> reactors_;
    std::atomic<bool> shutting_down_{false};
    mutable std::mutex mutex_;  // guards what follows
    std::map<std::string, Entry, std::less<>> namespaces_;
    std::map<std::string, Family, std::less<>> families_;
    std::map<std::string, std::string, std::less<>> aliases_;
};

}  // namespace moonwire::socketio
