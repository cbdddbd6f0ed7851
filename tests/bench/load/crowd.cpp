#include "tests/bench/load/crowd.hpp"

namespace bench {
namespace {

constexpr std::size_t kAtOnce = 200;
constexpr std::chrono::seconds kPatience{60};

}  // namespace

std::size_t Crowd::connect(std::size_t count) {
    const std::size_t first = clients_.size();
    const std::size_t wanted = first + count;
    await("connections", [&] {
        while (clients_.size() < wanted && clients_.size() < connected_ + kAtOnce) {
            clients_.push_back(polling_ ? make_polling_client(loop_, endpoint_, *this)
                                        : make_websocket_client(loop_, endpoint_, *this));
            clients_.back()->index = clients_.size() - 1;
            clients_.back()->connect();
        }
        return connected_ == wanted;
    });
    return first;
}

void Crowd::ask_all(std::size_t first, std::size_t count,
                    const std::function<std::string(const Client&)>& packet) {
    const std::size_t before = acknowledged_;
    std::size_t asked = 0;
    await("acknowledgements", [&] {
        while (asked < count && before + asked < acknowledged_ + kAtOnce) {
            Client& client = at(first + asked++);
            client.send(packet(client));
        }
        return acknowledged_ == before + count;
    });
}

void Crowd::await(const std::string& what, const std::function<bool()>& done) {
    const TimePoint late = Clock::now() + kPatience;
    while (!done()) {
        loop_.run_until(Clock::now() + std::chrono::milliseconds(100));
        if (!lost_.empty()) throw Failed("a client was lost: " + lost_);
        if (Clock::now() > late) throw Failed("gave up waiting for " + what);
    }
}

void Crowd::on_connected(Client&) { ++connected_; }

void Crowd::on_packet(Client& client, std::string_view packet) {
    if (on_packet_) on_packet_(client, packet);
    else if (packet.starts_with("3")) ++acknowledged_;
}

void Crowd::on_lost(Client&, const std::string& why) {
    if (lost_.empty()) lost_ = why;
}

}  // namespace bench
