#include "plugins/amqp/link.hpp"

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/time.h>

#include "plugins/amqp/field_table.hpp"

namespace moonwire::amqp {
namespace {

constexpr int kMaxChannels = 2047;  // RabbitMQ's
constexpr int kMaxFrameBytes = 131'072;
// A channel has one consumer.
constexpr const char* kConsumerTag = "moonwire";

timeval time_of(std::chrono::seconds seconds) { return {seconds.count(), 0}; }

std::string text(const amqp_bytes_t& bytes) { return std::string(text_of(bytes)); }

std::string reason(std::uint16_t code, const amqp_bytes_t& words) {
    return text(words) + " (" + std::to_string(code) + ")";
}

/// "login: ACCESS_REFUSED - … (403)".
std::string reason_of(const amqp_rpc_reply_t& reply) {
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return amqp_error_string2(reply.library_error);
    if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const auto* closed = static_cast<const amqp_connection_close_t*>(reply.reply.decoded);
        return reason(closed->reply_code, closed->reply_text);
    }
    return "the server gave no answer";
}

void set(amqp_basic_properties_t& properties, amqp_flags_t flag, amqp_bytes_t& field,
         const std::string& value) {
    if (value.empty()) return;
    properties._flags |= flag;
    field = bytes_of(value);
}

std::string get(const amqp_basic_properties_t& properties, amqp_flags_t flag,
                const amqp_bytes_t& field) {
    return properties._flags & flag ? text(field) : std::string();
}

}  // namespace

Link::Link(const Address& address, const LinkOptions& options) : state_(amqp_new_connection()) {
    if (!state_) throw LinkDown("out of memory");
    connect(address, options);
    login(address, options);
}

void Link::say_goodbye() {
    pollfd writable{descriptor(), POLLOUT, 0};
    if (writable.fd < 0 || poll(&writable, 1, 0) != 1) return;
    amqp_connection_close_t goodbye{AMQP_REPLY_SUCCESS, bytes_of("bye"), 0, 0};
    amqp_send_method(state_.get(), 0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye);
}

void Link::connect(const Address& address, const LinkOptions& options) {
    amqp_socket_t* socket = nullptr;
    if (address.tls) {
        socket = amqp_ssl_socket_new(state_.get());
        if (!socket) throw LinkDown("out of memory");
        if (options.insecure) {
            amqp_ssl_socket_set_verify_peer(socket, 0);
            amqp_ssl_socket_set_verify_hostname(socket, 0);
        } else if (options.ca_file.empty()) {
            SSL_CTX_set_default_verify_paths(
                static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket)));
        } else {
            check("ca_file", amqp_ssl_socket_set_cacert(socket, options.ca_file.c_str()));
        }
        if (!options.certificate.empty())
            check("certificate", amqp_ssl_socket_set_key(socket, options.certificate.c_str(),
                                                         options.key.c_str()));
    } else {
        socket = amqp_tcp_socket_new(state_.get());
        if (!socket) throw LinkDown("out of memory");
    }
    const timeval timeout = time_of(options.timeout);
    amqp_set_handshake_timeout(state_.get(), &timeout);
    amqp_set_rpc_timeout(state_.get(), &timeout);
    check("connect",
          amqp_socket_open_noblock(socket, address.host.c_str(), address.port, &timeout));
}

void Link::login(const Address& address, const LinkOptions& options) {
    amqp_table_entry_t abilities[2]{};
    for (auto& each : abilities) {
        each.value.kind = AMQP_FIELD_KIND_BOOLEAN;
        each.value.value.boolean = 1;
    }
    abilities[0].key = bytes_of("connection.blocked");
    abilities[1].key = bytes_of("consumer_cancel_notify");
    amqp_table_entry_t entries[2]{};
    entries[0].key = bytes_of("capabilities");
    entries[0].value.kind = AMQP_FIELD_KIND_TABLE;
    entries[0].value.value.table = {2, abilities};
    entries[1].key = bytes_of("connection_name");
    entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[1].value.value.bytes = bytes_of(options.name);
    const amqp_table_t properties{2, entries};
    const amqp_rpc_reply_t reply = amqp_login_with_properties(
        state_.get(), address.vhost.c_str(), kMaxChannels, kMaxFrameBytes,
        static_cast<int>(options.heartbeat.count()), &properties, AMQP_SASL_METHOD_PLAIN,
        address.user.c_str(), address.password.c_str());
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    LinkDown down("log in: " + reason_of(reply));
    down.refused = reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION;
    throw down;
}

void Link::check(const char* what, int status) const {
    if (status != AMQP_STATUS_OK)
        throw LinkDown(std::string(what) + ": " + amqp_error_string2(status));
}

void Link::check_reply(const char* what, Channel channel) {
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(state_.get());
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
        reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const auto* closed = static_cast<const amqp_channel_close_t*>(reply.reply.decoded);
        const ChannelClosed exception(closed->reply_code,
                                      reason(closed->reply_code, closed->reply_text));
        amqp_channel_close_ok_t ok{};
        check(what, amqp_send_method(state_.get(), channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok));
        throw exception;
    }
    throw LinkDown(std::string(what) + ": " + reason_of(reply));
}

int Link::descriptor() const { return amqp_get_sockfd(state_.get()); }

std::optional<Incoming> Link::next() {
    for (;;) {
        amqp_maybe_release_buffers(state_.get());
        amqp_frame_t frame{};
        const timeval now{};
        const int status = amqp_simple_wait_frame_noblock(state_.get(), &frame, &now);
        if (status == AMQP_STATUS_TIMEOUT) return std::nullopt;
        check("read", status);
        if (frame.frame_type != AMQP_FRAME_METHOD) continue;  // of a message nobody waits for
        if (auto incoming = read(frame)) return incoming;
    }
}

std::optional<Incoming> Link::read(const amqp_frame_t& frame) {
    const Channel channel = frame.channel;
    const void* method = frame.payload.method.decoded;
    switch (frame.payload.method.id) {
        case AMQP_BASIC_DELIVER_METHOD: {
            const auto* deliver = static_cast<const amqp_basic_deliver_t*>(method);
            Delivery delivery{channel, deliver->delivery_tag, deliver->redelivered != 0, {}};
            const std::string exchange = text(deliver->exchange), key = text(deliver->routing_key);
            delivery.message = read_message(channel);
            delivery.message.exchange = exchange;
            delivery.message.routing_key = key;
            return delivery;
        }
        case AMQP_BASIC_RETURN_METHOD: {
            const auto* back = static_cast<const amqp_basic_return_t*>(method);
            const std::string exchange = text(back->exchange), key = text(back->routing_key);
            Returned returned{{}, reason(back->reply_code, back->reply_text)};
            returned.message = read_message(channel);
            returned.message.exchange = exchange;
            returned.message.routing_key = key;
            return returned;
        }
        case AMQP_BASIC_ACK_METHOD: {
            const auto* ack = static_cast<const amqp_basic_ack_t*>(method);
            return Confirm{channel, ack->delivery_tag, ack->multiple != 0, true};
        }
        case AMQP_BASIC_NACK_METHOD: {
            const auto* nack = static_cast<const amqp_basic_nack_t*>(method);
            return Confirm{channel, nack->delivery_tag, nack->multiple != 0, false};
        }
        case AMQP_BASIC_CANCEL_METHOD: return ConsumerGone{channel};
        case AMQP_CHANNEL_CLOSE_METHOD: {
            const auto* closed = static_cast<const amqp_channel_close_t*>(method);
            ChannelGone gone{channel, reason(closed->reply_code, closed->reply_text)};
            amqp_channel_close_ok_t ok{};
            check("close",
                  amqp_send_method(state_.get(), channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok));
            return gone;
        }
        case AMQP_CONNECTION_CLOSE_METHOD: {
            const auto* closed = static_cast<const amqp_connection_close_t*>(method);
            const std::string why = reason(closed->reply_code, closed->reply_text);
            amqp_connection_close_ok_t ok{};
            amqp_send_method(state_.get(), 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
            throw LinkDown("the server ended the connection: " + why);
        }
        case AMQP_CONNECTION_BLOCKED_METHOD:
            return Blocked{true,
                           text(static_cast<const amqp_connection_blocked_t*>(method)->reason)};
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return Blocked{false, {}};
        default: return std::nullopt;
    }
}

Message Link::read_message(Channel channel) {
    amqp_message_t got{};
    const amqp_rpc_reply_t reply = amqp_read_message(state_.get(), channel, &got, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw LinkDown("read: " + reason_of(reply));
    const std::unique_ptr<amqp_message_t, void (*)(amqp_message_t*)> owner(&got,
                                                                           amqp_destroy_message);
    const amqp_basic_properties_t& all = got.properties;
    Message message;
    message.body = text(got.body);
    if (all._flags & AMQP_BASIC_HEADERS_FLAG) try {
            message.headers = encode_table(all.headers);
        } catch (const std::runtime_error&) {  // larger than any that we send: left out
        }
    message.content_type = get(all, AMQP_BASIC_CONTENT_TYPE_FLAG, all.content_type);
    message.content_encoding = get(all, AMQP_BASIC_CONTENT_ENCODING_FLAG, all.content_encoding);
    message.message_id = get(all, AMQP_BASIC_MESSAGE_ID_FLAG, all.message_id);
    message.correlation_id = get(all, AMQP_BASIC_CORRELATION_ID_FLAG, all.correlation_id);
    message.reply_to = get(all, AMQP_BASIC_REPLY_TO_FLAG, all.reply_to);
    message.type = get(all, AMQP_BASIC_TYPE_FLAG, all.type);
    message.app_id = get(all, AMQP_BASIC_APP_ID_FLAG, all.app_id);
    message.expiration = get(all, AMQP_BASIC_EXPIRATION_FLAG, all.expiration);
    if (all._flags & AMQP_BASIC_TIMESTAMP_FLAG) message.timestamp = all.timestamp;
    if (all._flags & AMQP_BASIC_PRIORITY_FLAG) message.priority = all.priority;
    message.persistent =
        all._flags & AMQP_BASIC_DELIVERY_MODE_FLAG && all.delivery_mode == AMQP_DELIVERY_PERSISTENT;
    return message;
}

void Link::open(Channel channel) {
    amqp_channel_open(state_.get(), channel);
    check_reply("open a channel", channel);
}

void Link::close(Channel channel) {
    const amqp_rpc_reply_t reply = amqp_channel_close(state_.get(), channel, AMQP_REPLY_SUCCESS);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        throw LinkDown("close a channel: " + reason_of(reply));
    amqp_maybe_release_buffers_on_channel(state_.get(), channel);
}

void Link::select_confirms(Channel channel) {
    amqp_confirm_select(state_.get(), channel);
    check_reply("ask for confirms", channel);
}

void Link::set_prefetch(Channel channel, std::uint16_t count) {
    amqp_basic_qos(state_.get(), channel, 0, count, 0);
    check_reply("set the prefetch", channel);
}

void Link::declare_exchange(Channel channel, const std::string& name, const std::string& type,
                            bool passive) {
    amqp_exchange_declare(state_.get(), channel, bytes_of(name), bytes_of(type), passive, 1, 0, 0,
                          amqp_empty_table);
    check_reply("declare an exchange", channel);
}

void Link::declare_queue(Channel channel, const std::string& name, const std::string& arguments,
                         bool durable, bool exclusive, bool passive) {
    FieldPool pool;
    amqp_queue_declare(state_.get(), channel, bytes_of(name), passive, durable, exclusive,
                       exclusive, pool.table(arguments));
    check_reply("declare a queue", channel);
}

void Link::bind(Channel channel, const std::string& queue, const std::string& exchange,
                const std::string& key) {
    amqp_queue_bind(state_.get(), channel, bytes_of(queue), bytes_of(exchange), bytes_of(key),
                    amqp_empty_table);
    check_reply("bind a queue", channel);
}

void Link::consume(Channel channel, const std::string& queue) {
    amqp_basic_consume(state_.get(), channel, bytes_of(queue), bytes_of(kConsumerTag), 0, 0, 0,
                       amqp_empty_table);
    check_reply("consume", channel);
}

void Link::cancel(Channel channel) {
    amqp_basic_cancel(state_.get(), channel, bytes_of(kConsumerTag));
    check_reply("cancel", channel);
}

void Link::publish(Channel channel, const Message& message) {
    amqp_basic_properties_t properties{};
    FieldPool pool;
    set(properties, AMQP_BASIC_CONTENT_TYPE_FLAG, properties.content_type, message.content_type);
    set(properties, AMQP_BASIC_CONTENT_ENCODING_FLAG, properties.content_encoding,
        message.content_encoding);
    set(properties, AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id, message.message_id);
    set(properties, AMQP_BASIC_CORRELATION_ID_FLAG, properties.correlation_id,
        message.correlation_id);
    set(properties, AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to, message.reply_to);
    set(properties, AMQP_BASIC_TYPE_FLAG, properties.type, message.type);
    set(properties, AMQP_BASIC_APP_ID_FLAG, properties.app_id, message.app_id);
    set(properties, AMQP_BASIC_EXPIRATION_FLAG, properties.expiration, message.expiration);
    if (!message.headers.empty()) {
        properties._flags |= AMQP_BASIC_HEADERS_FLAG;
        properties.headers = pool.table(message.headers);
    }
    if (message.timestamp) {
        properties._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        properties.timestamp = message.timestamp;
    }
    if (message.priority) {
        properties._flags |= AMQP_BASIC_PRIORITY_FLAG;
        properties.priority = message.priority;
    }
    properties._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode =
        message.persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT;
    check("publish", amqp_basic_publish(state_.get(), channel, bytes_of(message.exchange),
                                        bytes_of(message.routing_key), 1, 0, &properties,
                                        bytes_of(message.body)));
}

void Link::ack(Channel channel, std::uint64_t tag) {
    check("acknowledge", amqp_basic_ack(state_.get(), channel, tag, 0));
}

void Link::reject(Channel channel, std::uint64_t tag, bool requeue) {
    check("reject", amqp_basic_reject(state_.get(), channel, tag, requeue));
}

}  // namespace moonwire::amqp
