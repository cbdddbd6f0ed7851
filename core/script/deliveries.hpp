#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/script/namespace_store.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::script {

/// Sends what is queued for recipients that are back (`ns.store:deliver`).
///
/// Home reactor. Of a recipient's queue some events at a time are sent, in order, each asking for
/// an acknowledgement; those that were acknowledged before the first that was not are removed, and
/// it goes on until the queue is empty or one was not. So an event may come again, with those that
/// followed it. One delivery a recipient at a time: the others wait.
class Deliveries : public std::enable_shared_from_this<Deliveries> {
public:
    /// How many were acknowledged and, unless the queue is empty now, why not more.
    using Done = Function<void(std::int64_t count, std::string why)>;

    /// More waiting deliveries than this for one recipient are told `busy`.
    static constexpr std::size_t kMaxWaiting = 1000;
    /// Events under way at a time.
    static constexpr std::size_t kAtOnce = 32;

    explicit Deliveries(NamespaceStore& store) : store_(store) {}

    /// `done` is called from the loop, unless this is gone by then.
    void start(std::string recipient, socketio::SocketPtr socket, Duration timeout, Done done);

private:
    struct Delivery {
        std::string recipient;
        socketio::SocketPtr socket;
        Duration timeout;
        Done done;
        std::int64_t count = 0;
        std::vector<plugin::StoreItem> page;
        std::vector<socketio::AckOutcome> outcomes;
        std::size_t pending = 0;
    };
    using DeliveryPtr = std::shared_ptr<Delivery>;

    void fetch(const DeliveryPtr& delivery);
    void send(const DeliveryPtr& delivery);
    void settle(const DeliveryPtr& delivery);
    void finish(const DeliveryPtr& delivery, std::string why);

    NamespaceStore& store_;
    std::map<std::string, std::deque<DeliveryPtr>, std::less<>> lines_;
};

}  // namespace moonwire::script
