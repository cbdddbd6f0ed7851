// `metrics`: figures that scripts keep.
#include <cmath>

#include "core/script/api.hpp"
#include "core/script/metric_registry.hpp"

namespace moonwire::script {
namespace {

using plugin::MetricKind;
using MetricBox = std::shared_ptr<Metric>;

constexpr std::size_t kMaxMetrics = 1000;  // of a namespace
constexpr std::size_t kMaxNumbers = 100;   // of a list of labels or buckets, to be told apart
/// Seconds, as Prometheus' own libraries have them.
constexpr double kDefaultBounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

constexpr int key_of(MetricKind kind) {
    switch (kind) {
        case MetricKind::counter: return kCounterMetatableKey;
        case MetricKind::gauge: return kGaugeMetatableKey;
        case MetricKind::histogram: break;
    }
    return kHistogramMetatableKey;
}

constexpr const char* name_of(MetricKind kind) {
    switch (kind) {
        case MetricKind::counter: return "counter";
        case MetricKind::gauge: return "gauge";
        case MetricKind::histogram: break;
    }
    return "histogram";
}

/// What a declaration's arguments are wrong in; nothing if they are well.
const char* argument_problem(lua_State* state) {
    if (lua_type(state, 1) != LUA_TSTRING) return "the first argument is its name";
    if (lua_type(state, 2) != LUA_TSTRING) return "the second argument is its help, a text";
    for (int index : {3, 4}) {
        if (lua_isnil(state, index)) continue;
        if (!lua_istable(state, index) || lua_objlen(state, index) > kMaxNumbers)
            return index == 3 ? "the third argument is a list of labels"
                              : "the fourth argument is a list of buckets";
        for (std::size_t i = 1; i <= lua_objlen(state, index); ++i) {
            lua_rawgeti(state, index, static_cast<int>(i));
            const bool right = lua_type(state, -1) == (index == 3 ? LUA_TSTRING : LUA_TNUMBER);
            lua_pop(state, 1);
            if (!right) return index == 3 ? "labels are texts" : "buckets are numbers";
        }
    }
    return nullptr;
}

MetricShape read_shape(lua_State* state, MetricKind kind) {
    MetricShape shape;
    shape.kind = kind;
    shape.name = text_at(state, 1);
    shape.help = text_at(state, 2);
    for (int i = 1; lua_istable(state, 3) && i <= static_cast<int>(lua_objlen(state, 3)); ++i) {
        lua_rawgeti(state, 3, i);
        shape.labels.emplace_back(text_at(state, -1));
        lua_pop(state, 1);
    }
    if (kind != MetricKind::histogram) return shape;
    for (int i = 1; lua_istable(state, 4) && i <= static_cast<int>(lua_objlen(state, 4)); ++i) {
        lua_rawgeti(state, 4, i);
        shape.bounds.push_back(lua_tonumber(state, -1));
        lua_pop(state, 1);
    }
    if (lua_isnil(state, 4))
        shape.bounds.assign(std::begin(kDefaultBounds), std::end(kDefaultBounds));
    return shape;
}

/// The generation's metric, which it or one before it has made; an error says why not. A candidate
/// in a scratch state has it to itself.
Result<std::shared_ptr<Metric>> declare(Generation& generation, MetricShape shape) {
    if (auto problem = shape.problem()) return Error{*std::move(problem)};
    const auto known = generation.metrics.find(shape.family());
    if (known != generation.metrics.end()) {
        const auto& metric = known->second->metric;
        if (auto conflict = metric->shape().conflict(shape)) return Error{*std::move(conflict)};
        return metric;
    }
    if (generation.metrics.size() >= kMaxMetrics) return Error{"there are too many metrics"};
    MetricRegistry alone{FigureLimits{}};
    MetricRegistry* shared = generation.runtime().metrics;
    const std::string family = shape.family();
    auto lease = (shared ? *shared : alone).declare(generation.nsp(), std::move(shape));
    if (!lease) return lease.error();
    return generation.metrics.emplace(family, *lease).first->second->metric;
}

/// metrics.counter(name, help, labels)
template <MetricKind Kind>
int lua_declare(lua_State* state) {
    lua_settop(state, 4);
    Generation& generation = generation_of(state);
    if (generation.phase() != Generation::Phase::loading)
        return luaL_error(state, "metrics.%s can only be used while a file loads", name_of(Kind));
    const char* wrong = argument_problem(state);
    if (!wrong) {
        if (auto metric = declare(generation, read_shape(state, Kind))) {
            push_object<MetricBox>(state, key_of(Kind), *metric);
            return 1;
        } else {
            push_string(state, metric.error().message);
        }
        wrong = lua_tostring(state, -1);
    }
    return luaL_error(state, "metric '%s': %s",
                      lua_type(state, 1) == LUA_TSTRING ? lua_tostring(state, 1) : "?", wrong);
}

/// The metric that a method was called on.
template <MetricKind Kind>
Metric& check_metric(lua_State* state, const char* call) {
    auto* box = to_object<MetricBox>(state, 1, key_of(Kind));
    if (!box) luaL_error(state, "%s is a %s's (called with ':'?)", call, name_of(Kind));
    Runtime::of(state).refuse_while_loading(state, call);
    return **box;
}

/// Raises if the table at 2 names a label that the metric lacks.
void refuse_unknown_labels(lua_State* state, const Metric& metric) {
    lua_pushnil(state);
    while (lua_next(state, 2)) {
        const std::string_view name = text_at(state, -2);
        bool known = false;
        for (const std::string& each : metric.shape().labels) known |= each == name;
        if (!known)
            luaL_error(state, "metric '%s' has no label '%s'", metric.shape().name.c_str(),
                       lua_type(state, -2) == LUA_TSTRING ? lua_tostring(state, -2)
                                                          : luaL_typename(state, -2));
        lua_pop(state, 1);
    }
}

/// The key of the series that the labels at 2 name; `value` is where the arguments go on. Raises,
/// and owns nothing that this would leak. Valid until the next call.
std::string_view check_labels(lua_State* state, const Metric& metric, int& value) {
    static thread_local std::string key;
    key.clear();
    const auto& labels = metric.shape().labels;
    value = labels.empty() && !lua_istable(state, 2) ? 2 : 3;
    if (value == 2) return key;
    if (!lua_istable(state, 2))
        luaL_error(state, "metric '%s': its labels are expected first, as in {%s = \"x\"}",
                   metric.shape().name.c_str(), labels.front().c_str());
    refuse_unknown_labels(state, metric);
    for (const std::string& label : labels) {
        push_string(state, label);
        lua_rawget(state, 2);
        if (lua_isnil(state, -1))
            luaL_error(state, "metric '%s': its label '%s' is missing", metric.shape().name.c_str(),
                       label.c_str());
        if (lua_type(state, -1) == LUA_TBOOLEAN)
            lua_pushstring(state, lua_toboolean(state, -1) ? "true" : "false");
        if (!lua_isstring(state, -1))
            luaL_error(state,
                       "metric '%s': label '%s' must be a text, a number or a boolean, got %s",
                       metric.shape().name.c_str(), label.c_str(), luaL_typename(state, -1));
        Metric::append_label(key, check_text(state, -1));
        lua_settop(state, 3);
    }
    return key;
}

double check_value(lua_State* state, int index, bool optional) {
    const double value =
        optional ? luaL_optnumber(state, index, 1) : luaL_checknumber(state, index);
    luaL_argcheck(state, !std::isnan(value), index, "a number expected, got NaN");
    return value;
}

int counter_inc(lua_State* state) {
    lua_settop(state, 3);
    Metric& metric = check_metric<MetricKind::counter>(state, "inc");
    int at = 0;
    const std::string_view key = check_labels(state, metric, at);
    const double by = check_value(state, at, true);
    luaL_argcheck(state, by >= 0 && std::isfinite(by), at, "a counter only grows");
    metric.add(key, by);
    return 0;
}

int gauge_set(lua_State* state) {
    lua_settop(state, 3);
    Metric& metric = check_metric<MetricKind::gauge>(state, "set");
    int at = 0;
    const std::string_view key = check_labels(state, metric, at);
    metric.set(key, check_value(state, at, false));
    return 0;
}

template <int Sign>
int gauge_add(lua_State* state) {
    lua_settop(state, 3);
    Metric& metric = check_metric<MetricKind::gauge>(state, Sign > 0 ? "inc" : "dec");
    int at = 0;
    const std::string_view key = check_labels(state, metric, at);
    metric.add(key, Sign * check_value(state, at, true));
    return 0;
}

int histogram_observe(lua_State* state) {
    lua_settop(state, 3);
    Metric& metric = check_metric<MetricKind::histogram>(state, "observe");
    int at = 0;
    const std::string_view key = check_labels(state, metric, at);
    metric.observe(key, check_value(state, at, false));
    return 0;
}

template <MetricKind Kind>
int index_metric(lua_State* state) {
    find_member(state, name_of(Kind));
    return 1;
}

template <MetricKind Kind>
void register_kind(lua_State* state, const luaL_Reg* methods) {
    make_metatable(state, key_of(Kind), name_of(Kind), collect_object<MetricBox>,
                   index_metric<Kind>, methods, nullptr);
}

}  // namespace

void register_metrics(lua_State* state) {
    const luaL_Reg counter[] = {{"inc", counter_inc}, {nullptr, nullptr}};
    const luaL_Reg gauge[] = {
        {"set", gauge_set}, {"inc", gauge_add<1>}, {"dec", gauge_add<-1>}, {nullptr, nullptr}};
    const luaL_Reg histogram[] = {{"observe", histogram_observe}, {nullptr, nullptr}};
    register_kind<MetricKind::counter>(state, counter);
    register_kind<MetricKind::gauge>(state, gauge);
    register_kind<MetricKind::histogram>(state, histogram);
}

void install_metrics(lua_State* state) {
    const luaL_Reg functions[] = {{"counter", lua_declare<MetricKind::counter>},
                                  {"gauge", lua_declare<MetricKind::gauge>},
                                  {"histogram", lua_declare<MetricKind::histogram>},
                                  {nullptr, nullptr}};
    lua_createtable(state, 0, 3);
    install_functions(state, -1, functions);
    lua_setfield(state, 1, "metrics");
}

}  // namespace moonwire::script
