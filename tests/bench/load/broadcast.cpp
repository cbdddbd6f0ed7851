#include "tests/bench/load/crowd.hpp"
#include "tests/bench/load/events.hpp"
#include "tests/bench/load/scenario.hpp"
#include "tests/bench/load/schedule.hpp"

namespace bench {
namespace {

constexpr std::size_t kPublishers = 10;

std::string room_name(std::size_t room) { return "room-" + std::to_string(room); }

}  // namespace

std::string run_broadcast(const Options& options, const Endpoint& endpoint) {
    Loop loop;
    Crowd crowd(loop, endpoint, options.polling);
    const std::size_t members = options.rooms * options.members;
    const std::size_t publishers = std::min(options.rooms, kPublishers);
    const std::size_t first = crowd.connect(members);
    crowd.ask_all(first, members, [&](const Client& client) {
        return "20[\"join\",\"" + room_name((client.index - first) % options.rooms) + "\"]";
    });
    const std::size_t publisher = crowd.connect(publishers);
    crowd.connect(options.idle);

    Window window(options);
    crowd.set_on_packet([&](Client&, std::string_view packet) {
        if (packet.starts_with("2[\"msg\"")) window.delivered(stamp_of(packet), Clock::now());
    });
    const std::string text = filler(options.payload - std::min<std::size_t>(options.payload, 32));
    // A relay finds the room in the event itself.
    const bool relay = options.event == "relay";
    run_schedule(loop, options, window, [&](std::uint64_t n, TimePoint due) {
        const std::string room = room_name(n % options.rooms);
        std::string packet = "2[\"" + options.event + "\",";
        packet += relay ? "{" : '"' + room + "\",{";
        packet += stamp(due);
        if (relay) packet += ",\"room\":\"" + room + '"';
        packet += ",\"text\":\"" + text + "\"}]";
        crowd.at(publisher + n % publishers).send(packet);
        return options.members;
    });
    return window.report(crowd.size());
}

}  // namespace bench
