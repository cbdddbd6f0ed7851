#include "core/socketio/server.hpp"

#include <algorithm>
#include <optional>

#include "core/base/incidents.hpp"
#include "core/base/path_segment.hpp"
#include "core/socketio/client.hpp"

namespace moonwire::socketio {
namespace {

/// The parameters of `name` if the pattern ("/tenant/:name") matches it.
std::optional<std::map<std::string, std::string>> match(std::string_view pattern,
                                                        std::string_view name) {
    std::map<std::string, std::string> params;
    while (!pattern.empty() && !name.empty()) {
        const std::string_view expected = take_segment(pattern);
        const std::string_view segment = take_segment(name);
        if (expected.starts_with(':') && !segment.empty()) {
            params.emplace(expected.substr(1), segment);
        } else if (expected != segment) {
            return std::nullopt;
        }
    }
    if (!pattern.empty() || !name.empty()) return std::nullopt;
    return params;
}

bool is_family(std::string_view name) { return name.find("/:") != std::string_view::npos; }

Result<void> check_name(std::string_view name) {
    if (!name.starts_with('/'))
        return Error{"a namespace starts with '/': \"" + std::string(name) + "\""};
    if (name.find_first_of(",?# \t\r\n") != std::string_view::npos)
        return Error{"a namespace has no ',', '?', '#' or blanks: \"" + std::string(name) + "\""};
    return {};
}

}  // namespace

Server::Server(ServerOptions options, std::vector<Reactor*> reactors)
    : options_(options), reactors_(std::move(reactors)) {}

Server::~Server() {
    for (const auto& [name, entry] : namespaces_) entry.nsp->release();
}

Result<void> Server::add(std::string name, Reactor& home,
                         std::shared_ptr<NamespaceHandler> handler) {
    if (auto checked = check_name(name); !checked) return checked;
    std::lock_guard lock(mutex_);
    if (namespaces_.contains(name) || families_.contains(name) || aliases_.contains(name))
        return Error{"namespace \"" + name + "\" exists already"};
    if (is_family(name)) {
        families_.emplace(std::move(name), Family{&home, std::move(handler), 0, {}});
    } else {
        auto nsp = std::make_shared<Namespace>(name, std::map<std::string, std::string>{}, home,
                                               std::move(handler), reactors_, options_.nsp);
        namespaces_.emplace(std::move(name), Entry{std::move(nsp), {}, 0});
    }
    return {};
}

Result<void> Server::add_alias(std::string name, std::string target) {
    if (auto checked = check_name(name); !checked) return checked;
    std::lock_guard lock(mutex_);
    if (namespaces_.contains(name) || families_.contains(name) || aliases_.contains(name))
        return Error{"alias \"" + name + "\" is a namespace already"};
    aliases_.emplace(std::move(name), std::move(target));
    return {};
}

void Server::remove(std::string_view name) {
    std::vector<std::shared_ptr<Namespace>> gone;
    {
        std::lock_guard lock(mutex_);
        if (const auto family = families_.find(name); family != families_.end())
            families_.erase(family);
        std::erase_if(namespaces_, [&](const auto& each) {
            if (each.first != name && each.second.family != name) return false;
            gone.push_back(each.second.nsp);
            return true;
        });
    }
    for (const auto& nsp : gone) nsp->reactor().post([nsp] { nsp->close(); });
}

std::shared_ptr<Namespace> Server::find(std::string_view name) const {
    std::lock_guard lock(mutex_);
    const auto found = namespaces_.find(name);
    return found == namespaces_.end() ? nullptr : found->second.nsp;
}

std::vector<std::shared_ptr<Namespace>> Server::namespaces() const {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Namespace>> all;
    for (const auto& [name, entry] : namespaces_) all.push_back(entry.nsp);
    return all;
}

std::vector<std::shared_ptr<Namespace>> Server::members(std::string_view family) const {
    std::lock_guard lock(mutex_);
    return members_of(family);
}

std::vector<std::shared_ptr<Namespace>> Server::members_of(std::string_view family) const {
    std::vector<std::shared_ptr<Namespace>> all;
    for (const auto& [name, entry] : namespaces_)
        if (entry.family == family) all.push_back(entry.nsp);
    return all;
}

std::optional<Group> Server::group(std::string_view name) const {
    std::lock_guard lock(mutex_);
    Peers* peers = options_.nsp.peers;
    if (const auto found = namespaces_.find(name); found != namespaces_.end())
        return Group(found->second.nsp);
    if (const auto found = families_.find(name); found != families_.end()) {
        const Family& family = found->second;
        return Group(found->first, *family.home, family.handler, members_of(name), peers);
    }
    if (!peers || !check_name(name)) return std::nullopt;
    for (const auto& [pattern, family] : families_)
        if (match(pattern, name))
            return Group(std::string(name), *family.home, family.handler, {}, peers);
    return std::nullopt;
}

std::vector<NamespaceFigures> Server::figures() const {
    std::lock_guard lock(mutex_);
    std::map<std::string_view, NamespaceFigures> families;
    for (const auto& [pattern, family] : families_) families[pattern] = family.gone;
    std::vector<NamespaceFigures> all;
    for (const auto& [name, entry] : namespaces_) {
        if (entry.family.empty()) all.push_back(entry.nsp->figures());
        else families[entry.family] += entry.nsp->figures();
    }
    for (auto& [pattern, figures] : families) {
        figures.name = pattern;
        all.push_back(std::move(figures));
    }
    return all;
}

std::shared_ptr<Namespace> Server::arrive(std::string_view wire_name, std::string_view address) {
    std::unique_lock lock(mutex_);
    std::string_view name = wire_name;
    if (const auto alias = aliases_.find(name); alias != aliases_.end()) name = alias->second;
    if (const auto found = namespaces_.find(name); found != namespaces_.end()) {
        ++found->second.arriving;
        return found->second.nsp;
    }
    if (!check_name(name)) return nullptr;
    for (auto& [pattern, family] : families_) {
        auto params = match(pattern, name);
        if (!params) continue;
        if (family.members >= options_.max_family_members) {
            const std::string full = pattern;
            lock.unlock();
            report({.kind = IncidentKind::family_members, .address = address, .nsp = full});
            return nullptr;
        }
        ++family.members;
        auto nsp = std::make_shared<Namespace>(std::string(name), *std::move(params), *family.home,
                                               family.handler, reactors_, options_.nsp);
        nsp->on_empty([this, weak = std::weak_ptr(nsp)] {
            if (const auto empty = weak.lock()) forget_if_empty(empty);
        });
        namespaces_.emplace(std::string(name), Entry{nsp, pattern, 1});
        return nsp;
    }
    return nullptr;
}

void Server::arrived(const std::shared_ptr<Namespace>& nsp) {
    {
        std::lock_guard lock(mutex_);
        const auto found = namespaces_.find(nsp->name());
        if (found == namespaces_.end() || found->second.nsp != nsp) return;
        --found->second.arriving;
    }
    forget_if_empty(nsp);  // it may have refused its only client meanwhile
}

void Server::forget_if_empty(const std::shared_ptr<Namespace>& nsp) {
    std::lock_guard lock(mutex_);
    const auto found = namespaces_.find(nsp->name());
    if (found == namespaces_.end() || found->second.nsp != nsp) return;
    const Entry& entry = found->second;
    if (options_.keep_empty || entry.family.empty() || entry.arriving > 0 || !nsp->empty()) return;
    Family& family = families_.at(entry.family);
    --family.members;
    family.gone += nsp->figures();
    family.gone.end();
    namespaces_.erase(found);
}

std::shared_ptr<engineio::SessionHandler> Server::on_session(
    std::shared_ptr<engineio::Session> session) {
    auto client = std::make_shared<Client>(*this, std::move(session));
    client->start();
    return client;
}

}  // namespace moonwire::socketio
