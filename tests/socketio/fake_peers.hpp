#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/socketio/peers.hpp"

namespace moonwire::socketio {

/// Other nodes that write down what they are told, as "broadcast /chat [r]-[x] [\"e\"]".
class FakePeers final : public Peers {
public:
    void broadcast(const std::string& nsp, const Target& target, Payload payload,
                   engineio::SendOptions options) override {
        std::string line = "broadcast" + whom(nsp, target) + " " + std::string(payload.json);
        for (const SharedBytes& each : payload.attachments) line += " " + std::string(each.view());
        if (options.is_volatile) line += " volatile";
        if (!options.compress) line += " plain";
        notes.push_back(std::move(line));
    }
    void join(const std::string& nsp, const Target& target,
              const std::vector<std::string>& rooms) override {
        notes.push_back("join" + whom(nsp, target) + " " + list(rooms));
    }
    void leave(const std::string& nsp, const Target& target,
               const std::vector<std::string>& rooms) override {
        notes.push_back("leave" + whom(nsp, target) + " " + list(rooms));
    }
    void disconnect(const std::string& nsp, const Target& target, bool close) override {
        notes.push_back("disconnect" + whom(nsp, target) + (close ? " close" : ""));
    }
    void server_emit(const std::string& nsp, Payload payload) override {
        notes.push_back("server " + nsp + " " + std::string(payload.json));
    }

    std::vector<std::string> take() { return std::exchange(notes, {}); }
    std::vector<std::string> notes;

private:
    static std::string list(const std::vector<std::string>& names) {
        std::string text = "[";
        for (const std::string& each : names) text += (text.size() > 1 ? "," : "") + each;
        return text + "]";
    }
    static std::string whom(const std::string& nsp, const Target& target) {
        return " " + nsp + " " + list(target.rooms) + "-" + list(target.except);
    }
};

}  // namespace moonwire::socketio
