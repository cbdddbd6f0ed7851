#include "core/script/deliveries.hpp"

#include <algorithm>
#include <utility>

#include "core/script/json_decode.hpp"
#include "core/script/stored_value.hpp"

namespace moonwire::script {

using namespace plugin;
using socketio::AckOutcome;

void Deliveries::start(std::string recipient, socketio::SocketPtr socket, Duration timeout,
                       Done done) {
    auto delivery = std::make_shared<Delivery>();
    delivery->recipient = std::move(recipient);
    delivery->socket = std::move(socket);
    delivery->timeout = timeout;
    delivery->done = std::move(done);
    auto& line = lines_[delivery->recipient];
    if (line.size() > kMaxWaiting) {
        return store_.home().post([delivery] { delivery->done(0, kStoreBusy); });
    }
    line.push_back(delivery);
    if (line.size() == 1) fetch(delivery);
}

void Deliveries::fetch(const DeliveryPtr& delivery) {
    StoreRead read{.list = delivery->recipient, .limit = kAtOnce, .kind = StoreList::queues};
    store_.run({std::move(read)}, false, [weak = weak_from_this(), delivery](StoreReply reply) {
        const auto self = weak.lock();
        if (!self) return;
        if (!reply.error.empty()) return self->finish(delivery, std::move(reply.error));
        delivery->page = std::move(reply.results.front().items);
        if (delivery->page.empty()) self->finish(delivery, {});
        else self->send(delivery);
    });
}

void Deliveries::send(const DeliveryPtr& delivery) {
    delivery->pending = delivery->page.size();
    delivery->outcomes.assign(delivery->page.size(), AckOutcome::disconnected);
    for (std::size_t i = 0; i < delivery->page.size(); ++i) {
        const auto payload = unpack_value(std::move(delivery->page[i].value));
        delivery->socket->call(
            payload.view(), delivery->timeout,
            [weak = weak_from_this(), delivery, i](AckOutcome outcome, socketio::Payload reply) {
                const bool valid = outcome != AckOutcome::answered || is_valid_json(reply.json);
                delivery->outcomes[i] = valid ? outcome : AckOutcome::disconnected;
                if (--delivery->pending == 0)
                    if (const auto self = weak.lock()) self->settle(delivery);
                return valid;
            });
    }
}

void Deliveries::settle(const DeliveryPtr& delivery) {
    const auto& outcomes = delivery->outcomes;
    const auto first_missing = std::find_if(outcomes.begin(), outcomes.end(), [](AckOutcome each) {
        return each != AckOutcome::answered;
    });
    const auto acknowledged = first_missing - outcomes.begin();
    std::string why;
    if (first_missing != outcomes.end())
        why = *first_missing == AckOutcome::timeout      ? "timeout"
              : *first_missing == AckOutcome::overloaded ? "busy"
                                                         : "disconnected";
    if (acknowledged == 0) return finish(delivery, std::move(why));
    delivery->count += acknowledged;
    StoreRemove remove{.list = delivery->recipient,
                       .up_to = delivery->page[static_cast<std::size_t>(acknowledged) - 1].id,
                       .kind = StoreList::queues};
    store_.run({std::move(remove)}, store_.options().durable,
               [weak = weak_from_this(), delivery, why = std::move(why)](StoreReply reply) mutable {
                   const auto self = weak.lock();
                   if (!self) return;
                   if (why.empty()) why = std::move(reply.error);
                   if (why.empty()) self->fetch(delivery);
                   else self->finish(delivery, std::move(why));
               });
}

void Deliveries::finish(const DeliveryPtr& delivery, std::string why) {
    const auto line = lines_.find(delivery->recipient);
    line->second.pop_front();
    if (line->second.empty()) lines_.erase(line);
    else fetch(line->second.front());
    delivery->done(delivery->count, std::move(why));
}

}  // namespace moonwire::script
