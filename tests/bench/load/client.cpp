#include "tests/bench/load/client.hpp"

namespace bench {

void Client::on_engine_packet(std::string_view packet) {
    if (packet.empty()) return;
    switch (packet[0]) {
        case '0': return send_engine_packet("40");
        case '1': return listener_.on_lost(*this, "the server ended the session");
        case '2': return send_engine_packet("3");
        case '4': break;
        default: return;
    }
    packet.remove_prefix(1);
    if (packet.starts_with("0")) listener_.on_connected(*this);
    else if (packet.starts_with("4"))
        listener_.on_lost(*this, "connect_error: " + std::string(packet));
    else listener_.on_packet(*this, packet);
}

}  // namespace bench
