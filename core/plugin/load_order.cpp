#include "core/plugin/load_order.hpp"

#include <algorithm>
#include <map>

namespace moonwire::plugin {
namespace {

class Sorter {
public:
    explicit Sorter(const std::vector<Dependent>& plugins) : plugins_(plugins) {}

    Result<std::vector<std::size_t>> sort() {
        for (std::size_t i = 0; i < plugins_.size(); ++i)
            if (!index_.emplace(plugins_[i].name, i).second)
                return Error{"plugin " + plugins_[i].name + " is loaded twice"};
        for (std::size_t i = 0; i < plugins_.size(); ++i)
            if (auto visited = visit(i); !visited) return visited.error();
        return std::move(order_);
    }

private:
    Result<void> visit(std::size_t plugin) {
        if (std::find(order_.begin(), order_.end(), plugin) != order_.end()) return {};
        const Dependent& self = plugins_[plugin];
        const auto begun = std::find(path_.begin(), path_.end(), self.name);
        if (begun != path_.end()) {
            std::string circle;
            for (auto each = begun; each != path_.end(); ++each) circle += *each + " -> ";
            return Error{"plugins need each other in a circle: " + circle + self.name};
        }
        path_.push_back(self.name);
        for (const std::string& need : self.needs) {
            const auto found = index_.find(need);
            if (found == index_.end())
                return Error{"plugin " + self.name + " needs plugin " + need +
                             ", which is not in plugins.load"};
            if (auto visited = visit(found->second); !visited) return visited;
        }
        path_.pop_back();
        order_.push_back(plugin);
        return {};
    }

    const std::vector<Dependent>& plugins_;
    std::map<std::string, std::size_t> index_;
    std::vector<std::string> path_;
    std::vector<std::size_t> order_;
};

}  // namespace

Result<std::vector<std::size_t>> load_order(const std::vector<Dependent>& plugins) {
    return Sorter(plugins).sort();
}

}  // namespace moonwire::plugin
