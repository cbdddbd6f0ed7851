// The plugin "amqp": queues of a RabbitMQ server, for scripts.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/plugin/api/plugin.hpp"
#include "plugins/amqp/connections.hpp"
#include "plugins/amqp/lua_source.hpp"
#include "plugins/amqp/options.hpp"

namespace moonwire::amqp {
namespace {

using namespace plugin;

std::string text_of(const rapidjson::Value& value) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    value.Accept(writer);
    return {buffer.GetString(), buffer.GetSize()};
}

/// The arguments of a call, which are an array.
rapidjson::Document arguments_of(const Call& call) {
    rapidjson::Document arguments;
    arguments.Parse<rapidjson::kParseIterativeFlag>(call.arguments.json.data(),
                                                    call.arguments.json.size());
    if (!arguments.IsArray()) throw std::runtime_error("no arguments");
    return arguments;
}

class AmqpPlugin final : public Plugin {
public:
    void configure(Host& host, Settings& settings) override {
        host_ = &host;
        link_.ca_file = settings.path("ca_file");
        link_.certificate = settings.path("certificate");
        link_.key = settings.path("key");
        if (link_.certificate.empty() != link_.key.empty())
            settings.fail("", "expected both certificate and key, or none");
        link_.insecure = settings.boolean("insecure", false);
        link_.heartbeat = std::chrono::seconds(settings.integer("heartbeat_seconds", 30, 2, 3600));
        link_.timeout = std::chrono::seconds(settings.integer("timeout_seconds", 5, 1, 60));
        max_message_bytes_ =
            static_cast<std::size_t>(settings.integer("max_message_bytes", 16 << 20, 1, 512 << 20));
        const auto limit = static_cast<std::size_t>(settings.integer("connections", 50, 1, 1000));
        connections_ = std::make_unique<Connections>(
            limit, [this](const std::string& nsp, ConnectionOptions options) {
                return make(nsp, std::move(options));
            });
        provide_module();
    }

    void drain() override { connections_->drain(); }
    void stop() override { connections_->stop(); }

private:
    void provide_module() {
        Module module;
        module.script = lua_files().front().text;
        module.immediate["check"] = [](const Call& call) { return check(call); };
        module.immediate["status"] = [this](const Call& call) { return status(call); };
        module.waiting["publish"] = [this](Call call, Reply reply) {
            publish(std::move(call), std::move(reply));
        };
        module.wanted = [this](const Call& call) { want(call); };
        host_->provide(std::move(module));
    }

    std::shared_ptr<Connection> make(const std::string& nsp, ConnectionOptions options) {
        LinkOptions link = link_;
        link.name = "moonwire " + nsp + " " + options.name;
        ConnectionHome home;
        home.ask = [this, nsp](const std::string& name, Values values, Reply reply) {
            host_->ask(nsp, name, std::move(values), std::move(reply));
        };
        home.log = [this](LogLevel level, const std::string& message,
                          std::initializer_list<LogField> fields) {
            host_->log(level, message, fields);
        };
        return std::make_shared<Connection>(std::move(options), std::move(link), max_message_bytes_,
                                            std::move(home));
    }

    /// `check("connect" or "consume", options)`: true, or nil and why not.
    static Answer check(const Call& call) {
        const rapidjson::Document arguments = arguments_of(call);
        try {
            const bool connect = arguments.Size() > 0 && arguments[0].IsString() &&
                                 arguments[0].GetString() == std::string_view("connect");
            const rapidjson::Value none;
            const std::string options = text_of(arguments.Size() > 1 ? arguments[1] : none);
            if (connect) read_connection(options);
            else read_consumer(options);
        } catch (const std::runtime_error& problem) {
            return Answer::nothing(problem.what());
        }
        return Answer::values("[true]");
    }

    void want(const Call& call) {
        std::vector<ConnectionOptions> wanted;
        const rapidjson::Document arguments = arguments_of(call);
        for (const auto& each : arguments.GetArray())
            wanted.push_back(read_connection(text_of(each[1])));
        for (const std::string& name : connections_->want(call.nsp, std::move(wanted)))
            host_->log(LogLevel::error, "too many connections (plugins.amqp.connections)",
                       {{"connection", name}, {"namespace", call.nsp}});
    }

    Answer status(const Call& call) {
        const rapidjson::Document arguments = arguments_of(call);
        Status status;
        status.state = "closed";
        if (arguments.Size() > 0 && arguments[0].IsString())
            if (const auto connection = connections_->find(call.nsp, arguments[0].GetString()))
                status = connection->status();
        return Answer::values("[" + status_json(status, Status::Time::clock::now()) + "]");
    }

    void publish(Call call, Reply reply) {
        Publication publication;
        try {
            publication =
                read_publication(call.arguments.json, std::move(call.arguments.attachments));
            if (publication.message.body.size() > max_message_bytes_)
                throw std::runtime_error("the message is larger than " +
                                         std::to_string(max_message_bytes_) + " bytes");
        } catch (const std::runtime_error& problem) {
            return reply(Answer::error(std::string("amqp.publish: ") + problem.what()));
        }
        const auto connection = connections_->find(call.nsp, publication.connection);
        if (!connection) return reply(Answer::nothing("closed"));
        connection->publish(std::move(publication), [reply](const std::string& why) {
            reply(why.empty() ? Answer::values("[true]") : Answer::nothing(why));
        });
    }

    Host* host_ = nullptr;
    LinkOptions link_;
    std::size_t max_message_bytes_ = 0;
    std::unique_ptr<Connections> connections_;
};

}  // namespace
}  // namespace moonwire::amqp

MOONWIRE_PLUGIN("amqp", moonwire::amqp::AmqpPlugin)
