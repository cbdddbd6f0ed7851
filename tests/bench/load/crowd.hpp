#pragma once

#include <functional>
#include <memory>
#include <string>
#include <stdexcept>
#include <vector>

#include "tests/bench/load/client.hpp"
#include "tests/bench/load/options.hpp"

namespace bench {

/// Thrown when a run can't go on: its message is for the user.
struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// All clients of a run. They are connected a few at a time, and whoever is lost ends the run.
class Crowd final : private ClientListener {
public:
    using OnPacket = std::function<void(Client&, std::string_view packet)>;

    Crowd(Loop& loop, const Endpoint& endpoint, bool polling)
        : loop_(loop), endpoint_(endpoint), polling_(polling) {}

    /// Adds that many and waits until they are in. Returns the first one's index.
    std::size_t connect(std::size_t count);
    /// Sends each `packet(client)`, an event that asks for an acknowledgement, and waits for it.
    void ask_all(std::size_t first, std::size_t count,
                 const std::function<std::string(const Client&)>& packet);
    Client& at(std::size_t index) { return *clients_[index]; }
    std::size_t size() const { return clients_.size(); }
    void set_on_packet(OnPacket on_packet) { on_packet_ = std::move(on_packet); }

private:
    void on_connected(Client& client) override;
    void on_packet(Client& client, std::string_view packet) override;
    void on_lost(Client& client, const std::string& why) override;
    /// Runs the loop until `done()`; a server that takes too long is given up.
    void await(const std::string& what, const std::function<bool()>& done);

    Loop& loop_;
    const Endpoint& endpoint_;
    const bool polling_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::size_t connected_ = 0;
    std::size_t acknowledged_ = 0;
    OnPacket on_packet_;
    std::string lost_;  // why the first was
};

}  // namespace bench
