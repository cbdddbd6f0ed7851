#include <random>

#include "tests/bench/load/crowd.hpp"
#include "tests/bench/load/events.hpp"
#include "tests/bench/load/scenario.hpp"
#include "tests/bench/load/schedule.hpp"

namespace bench {
namespace {

constexpr std::size_t kSpawnedAtOnce = 200;

/// Commuters and vehicles in a square of some 33 km, the same in every run.
class City {
public:
    std::string spawn(std::size_t first, std::size_t count) {
        std::string list;
        for (std::size_t i = first; i < first + count; ++i) {
            list += list.empty() ? "" : ",";
            list += "{\"id\":\"C" + std::to_string(i) + "\"," + place() +
                    ",\"max_walk\":" + std::to_string(200 + random_() % 1300) +
                    ",\"direction\":\"" + direction() + "\"}";
        }
        return "20[\"spawn\",[" + list + "]]";
    }
    std::string query() {
        return '{' + place() + ",\"radius\":1000,\"seats\":4,\"direction\":\"" + direction() + "\"}";
    }

private:
    std::string place() {
        return "\"lat\":" + std::to_string(13.1 + offset()) +
               ",\"lng\":" + std::to_string(-59.6 + offset());
    }
    double offset() { return (static_cast<double>(random_() % 20001) - 10000) / 10000 * 0.15; }
    const char* direction() { return random_() % 2 ? "inbound" : "outbound"; }

    std::minstd_rand random_{1};
};

std::string rebuild_object(std::uint64_t n, const std::string& text) {
    return "{\"id\":\"vehicle-" + std::to_string(n % 1000) + "\",\"seq\":" + std::to_string(n) +
           ",\"time\":1767225600.125,\"lat\":13.0975,\"lng\":-59.6142,\"speed\":41.5,"
           "\"heading\":270.25,\"driver\":\"" + text + "\",\"status\":\"boarding\",\"passengers\":17}";
}

}  // namespace

std::string run_request(const Options& options, const Endpoint& endpoint) {
    Loop loop;
    Crowd crowd(loop, endpoint, options.polling);
    City city;
    for (std::size_t i = 0; i < options.commuters; i += kSpawnedAtOnce) {
        if (i == 0) crowd.connect(1);
        crowd.ask_all(0, 1, [&](const Client&) { return city.spawn(i, kSpawnedAtOnce); });
    }
    const std::size_t first = crowd.connect(options.clients);
    crowd.connect(options.idle);

    Window window(options);
    std::vector<TimePoint> due_of;  // by acknowledgement id
    crowd.set_on_packet([&](Client&, std::string_view packet) {
        if (!packet.starts_with("3")) return;
        std::uint64_t id = 0;
        std::from_chars(packet.data() + 1, packet.data() + packet.size(), id);
        if (id < due_of.size()) window.delivered(due_of[id], Clock::now());
    });
    const std::string text = filler(options.event == "rebuild" ? 12 : options.payload - 8);
    run_schedule(loop, options, window, [&](std::uint64_t n, TimePoint due) {
        due_of.push_back(due);
        const std::string argument = options.event == "query"     ? city.query()
                                     : options.event == "rebuild" ? rebuild_object(n, text)
                                                                  : "{\"x\":\"" + text + "\"}";
        crowd.at(first + n % options.clients)
            .send('2' + std::to_string(n) + "[\"" + options.event + "\"," + argument + ']');
        return std::size_t{1};
    });
    return window.report(crowd.size());
}

}  // namespace bench
