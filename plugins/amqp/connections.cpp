#include "plugins/amqp/connections.hpp"

#include <algorithm>

namespace moonwire::amqp {

std::vector<std::string> Connections::want(const std::string& nsp,
                                           std::vector<ConnectionOptions> wanted) {
    std::lock_guard lock(mutex_);
    std::erase_if(ending_, [](const auto& each) { return each->has_ended(); });
    std::map<std::string, ConnectionOptions> by_name;
    for (ConnectionOptions& each : wanted) by_name[each.name] = std::move(each);
    for (auto each = all_.begin(); each != all_.end();) {
        if (each->first.first != nsp) {
            ++each;
            continue;
        }
        const auto found = by_name.find(each->first.second);
        if (found != by_name.end() && each->second->options().same_connection(found->second)) {
            if (!draining_) each->second->consume(std::move(found->second.consumers));
            by_name.erase(found);
            ++each;
            continue;
        }
        each->second->end(kGrace);
        ending_.push_back(std::move(each->second));
        each = all_.erase(each);
    }
    std::vector<std::string> refused;
    for (auto& [name, options] : by_name) {
        if (draining_) continue;
        if (all_.size() >= limit_) {
            refused.push_back(name);
            continue;
        }
        const auto made = make_(nsp, std::move(options));
        all_[{nsp, name}] = made;
        made->start();
    }
    return refused;
}

std::shared_ptr<Connection> Connections::find(const std::string& nsp,
                                              const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = all_.find({nsp, name});
    return found == all_.end() ? nullptr : found->second;
}

std::vector<ConnectionStatus> Connections::statuses() const {
    std::vector<ConnectionStatus> all;
    std::lock_guard lock(mutex_);
    for (const auto& [key, connection] : all_)
        all.push_back({key.first, key.second, connection->status()});
    return all;
}

void Connections::drain() {
    std::lock_guard lock(mutex_);
    draining_ = true;
    for (const auto& [key, connection] : all_) connection->consume({});
}

void Connections::stop() {
    std::vector<std::shared_ptr<Connection>> all;
    {
        std::lock_guard lock(mutex_);
        draining_ = true;
        all = std::move(ending_);
        for (auto& [key, connection] : all_) all.push_back(std::move(connection));
        all_.clear();
        for (const auto& each : all) each->end(kLastGrace);
    }
    all.clear();  // waits for their threads
}

}  // namespace moonwire::amqp
