// An adapter for the tests: nodes of one machine, each a socket in a folder that they share.
//
// A datagram is a message; a node sends it to every other socket that it finds there. Its own
// socket is called `node`.
#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/plugin/api/plugin.hpp"

namespace {

using namespace moonwire::plugin;

constexpr std::size_t kMaxQueued = 100'000;
constexpr std::size_t kMaxDatagram = 100'000;

/// Writes texts with their lengths ahead.
class Writer {
public:
    void put(std::uint32_t number) {
        for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift);
    }
    void put(std::string_view text) {
        put(static_cast<std::uint32_t>(text.size()));
        out += text;
    }
    void put(const std::vector<std::string>& texts) {
        put(static_cast<std::uint32_t>(texts.size()));
        for (const std::string& each : texts) put(std::string_view(each));
    }
    void put(const ClusterTarget& target) {
        put(target.rooms);
        put(target.except);
    }
    void put(const Values& values) {
        put(std::string_view(values.json));
        put(values.attachments);
    }
    std::string out;
};

/// Reads them back; throws std::runtime_error at what is cut short.
class Reader {
public:
    explicit Reader(std::string_view in) : in_(in) {}
    std::uint32_t number() {
        std::uint32_t number = 0;
        const std::string_view bytes = take(4);
        for (int i = 0; i < 4; ++i)
            number |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
        return number;
    }
    std::string text() { return std::string(take(number())); }
    std::vector<std::string> texts() {
        std::vector<std::string> texts;
        for (std::uint32_t left = number(); left > 0; --left) texts.push_back(text());
        return texts;
    }
    ClusterTarget target() {
        ClusterTarget target;
        target.rooms = texts();
        target.except = texts();
        return target;
    }
    Values values() {
        Values values;
        values.json = text();
        values.attachments = texts();
        return values;
    }

private:
    std::string_view take(std::size_t count) {
        if (in_.size() < count) throw std::runtime_error("cut short");
        const std::string_view taken = in_.substr(0, count);
        in_.remove_prefix(count);
        return taken;
    }
    std::string_view in_;
};

std::string encode(const ClusterMessage& message) {
    Writer writer;
    writer.put(std::string_view(message.nsp));
    writer.put(static_cast<std::uint32_t>(message.what.index()));
    struct Body {
        Writer& to;
        void operator()(const ClusterBroadcast& it) const {
            to.put(it.target);
            to.put(it.packet);
            to.put((it.is_volatile ? 1u : 0u) | (it.compress ? 2u : 0u));
        }
        void operator()(const ClusterJoin& it) const {
            to.put(it.target);
            to.put(it.rooms);
        }
        void operator()(const ClusterLeave& it) const {
            to.put(it.target);
            to.put(it.rooms);
        }
        void operator()(const ClusterDisconnect& it) const {
            to.put(it.target);
            to.put(it.close ? 1u : 0u);
        }
        void operator()(const ClusterServerEmit& it) const { to.put(it.packet); }
    };
    std::visit(Body{writer}, message.what);
    return std::move(writer.out);
}

ClusterMessage decode(std::string_view bytes) {
    Reader reader(bytes);
    ClusterMessage message;
    message.nsp = reader.text();
    switch (reader.number()) {
        case 0: {
            ClusterBroadcast it;
            it.target = reader.target();
            it.packet = reader.values();
            const std::uint32_t flags = reader.number();
            it.is_volatile = flags & 1;
            it.compress = flags & 2;
            message.what = std::move(it);
            break;
        }
        case 1: {
            ClusterJoin it;
            it.target = reader.target();
            it.rooms = reader.texts();
            message.what = std::move(it);
            break;
        }
        case 2: {
            ClusterLeave it;
            it.target = reader.target();
            it.rooms = reader.texts();
            message.what = std::move(it);
            break;
        }
        case 3: {
            ClusterDisconnect it;
            it.target = reader.target();
            it.close = reader.number() != 0;
            message.what = std::move(it);
            break;
        }
        case 4: message.what = ClusterServerEmit{reader.values()}; break;
        default: throw std::runtime_error("unknown kind");
    }
    return message;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error(path + ": too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

class Datagrams final : public Plugin {
public:
    void configure(Host& host, Settings& settings) override {
        host_ = &host;
        folder_ = settings.text("folder");
        node_ = settings.text("node", "node");
        if (folder_.empty()) settings.fail("folder", "expected a folder");
        struct Forward final : Adapter {
            explicit Forward(Datagrams& to) : to(to) {}
            void publish(ClusterMessage message) override { to.enqueue(encode(message)); }
            Datagrams& to;
        };
        host.provide(std::make_shared<Forward>(*this));
    }

    void start() override {
        socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ends_[0] = ends_[1] = -1;
        const std::string path = folder_ + "/" + node_;
        unlink(path.c_str());  // of one of this name that was killed
        const sockaddr_un address = address_of(path);
        if (socket_ < 0 || pipe(ends_) != 0 ||
            bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::system_error(errno, std::generic_category(), path);
        receiver_ = std::thread([this] { receive(); });
        sender_ = std::thread([this] { send(); });
    }

    void stop() override {
        unlink((folder_ + "/" + node_).c_str());
        {
            std::lock_guard lock(mutex_);
            ended_ = true;
        }
        queued_.notify_one();
        sender_.join();
        close(ends_[1]);  // which the receiver notices
        receiver_.join();
        close(ends_[0]);
        close(socket_);
    }

private:
    void enqueue(std::string message) {
        if (message.size() > kMaxDatagram) throw std::runtime_error("too large");
        std::lock_guard lock(mutex_);
        if (queue_.size() >= kMaxQueued) throw std::runtime_error("too many wait");
        queue_.push_back(std::move(message));
        queued_.notify_one();
    }

    void send() {
        for (;;) {
            std::unique_lock lock(mutex_);
            queued_.wait(lock, [this] { return ended_ || !queue_.empty(); });
            if (queue_.empty()) return;
            const std::string message = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            for (const std::string& peer : peers()) send_to(folder_ + "/" + peer, message);
        }
    }

    std::vector<std::string> peers() const {
        std::vector<std::string> found;
        DIR* folder = opendir(folder_.c_str());
        if (!folder) return found;
        while (const dirent* entry = readdir(folder))
            if (entry->d_name[0] != '.' && entry->d_name != node_) found.push_back(entry->d_name);
        closedir(folder);
        return found;
    }

    /// Waits for room in a peer's buffer.
    void send_to(const std::string& path, const std::string& message) {
        const sockaddr_un address = address_of(path);
        const ssize_t sent = sendto(socket_, message.data(), message.size(), MSG_NOSIGNAL,
                                    reinterpret_cast<const sockaddr*>(&address), sizeof address);
        if (sent >= 0) return;
        if (errno == ECONNREFUSED || errno == ENOENT) return;  // it was killed, or has ended
        host_->log(LogLevel::warn, "not sent", {{"to", path}, {"why", std::strerror(errno)}});
    }

    void receive() {
        std::string buffer(kMaxDatagram, '\0');
        for (;;) {
            pollfd waiting[2] = {{socket_, POLLIN, 0}, {ends_[0], POLLIN, 0}};
            if (poll(waiting, 2, -1) < 0 && errno != EINTR) return;
            if (waiting[1].revents) return;
            const ssize_t got = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got < 0) continue;
            try {
                const auto receipt =
                    host_->receive(decode({buffer.data(), static_cast<std::size_t>(got)}));
                if (receipt == Receipt::full) host_->log(LogLevel::warn, "dropped");
            } catch (const std::exception& exception) {
                host_->log(LogLevel::warn, "not understood", {{"why", exception.what()}});
            }
        }
    }

    Host* host_ = nullptr;
    std::string folder_, node_;
    int socket_ = -1;
    int ends_[2] = {-1, -1};
    std::thread receiver_, sender_;
    std::mutex mutex_;  // guards what follows
    std::condition_variable queued_;
    std::deque<std::string> queue_;
    bool ended_ = false;
};

}  // namespace

MOONWIRE_PLUGIN("datagrams", Datagrams)
