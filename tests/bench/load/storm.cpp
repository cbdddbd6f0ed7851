#include <utility>

#include "tests/bench/load/crowd.hpp"
#include "tests/bench/load/scenario.hpp"
#include "tests/bench/load/window.hpp"

namespace bench {
namespace {

/// Connects, enters "/" and leaves, over and over.
class Storm final : private ClientListener {
public:
    Storm(Loop& loop, const Endpoint& endpoint, const Options& options, Window& window)
        : loop_(loop), endpoint_(endpoint), polling_(options.polling), window_(window) {
        for (std::size_t i = 0; i < options.clients; ++i) begin(i);
    }

    /// Lets go of who has left; not while one of them is heard.
    void renew() {
        for (const std::size_t index : std::exchange(done_, {})) begin(index);
        if (!lost_.empty()) throw Failed("a client was lost: " + lost_);
    }

private:
    void begin(std::size_t index) {
        if (clients_.size() <= index) clients_.resize(index + 1);
        clients_[index] = polling_ ? make_polling_client(loop_, endpoint_, *this)
                                   : make_websocket_client(loop_, endpoint_, *this);
        clients_[index]->index = index;
        begun_.resize(std::max(begun_.size(), index + 1));
        begun_[index] = Clock::now();
        clients_[index]->connect();
    }
    void on_connected(Client& client) override {
        window_.delivered(begun_[client.index], Clock::now());
        client.close();
        done_.push_back(client.index);
    }
    void on_packet(Client&, std::string_view) override {}
    void on_lost(Client&, const std::string& why) override { lost_ = why; }

    Loop& loop_;
    const Endpoint& endpoint_;
    const bool polling_;
    Window& window_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<TimePoint> begun_;
    std::vector<std::size_t> done_;
    std::string lost_;
};

}  // namespace

std::string run_storm(const Options& options, const Endpoint& endpoint) {
    Loop loop;
    Window window(options);
    Storm storm(loop, endpoint, options, window);
    const auto run_for = [&](double seconds) {
        const TimePoint end = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
        while (Clock::now() < end) {
            loop.run_until(end);
            storm.renew();
        }
    };
    run_for(options.warmup_seconds);
    window.begin();
    run_for(options.seconds);
    window.end();
    return window.report(options.clients);
}

}  // namespace bench
