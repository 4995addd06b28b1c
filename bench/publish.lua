-- What wrk (github.com/wg/wrk) asks in scripts/bench http: each request publishes an order of its own. Prints one line
-- of figures for the benchmark to read.

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  placed = 0
  life = os.time()
  headers = { ["Content-Type"] = "application/json" }
end

function request()
  placed = placed + 1
  local body = string.format(
    '{"order_id":"o-%d-%d-%d","customer":"customer-%d","address":"1 Long Street, Townsville","cents":4200}',
    life, number, placed, placed % 1000)
  return wrk.format("POST", "/api/v1/publish/order_placed", headers, body)
end

function done(summary, latency, requests)
  io.write(string.format("FIGURES %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
