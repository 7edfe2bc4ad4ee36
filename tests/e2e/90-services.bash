# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Services as Debian builds them - stripped, with cgo, by several releases of Go - under load of
# their own kind: they are traced, what comes out is valid, nearly every frame in it has a name, and
# they go on as before. tools/services has unpacked them. What was found is in
# build/compat/services.tsv.

# A service NAME has three functions. NAME_start starts it as the target "service" and sets
# $address; NAME_load keeps it busy until the case ends; NAME_answers does one request.
# $errors is what a line of its log looks like that tells of trouble.

# bin PATH: in what the package brought
bin() {
	echo "$top/build/services/$service/usr/$1"
}

# loopback N: sets $port to N free ports
loopback() {
	mapfile -t port < <("$tool" ports "$1")
	address=127.0.0.1:${port[0]}
}

# requests N URL [ARGS]: N connections make HTTP requests until the case ends
requests() {
	start load wrk -t 1 -c "$1" -d 600 -s "$top/tests/services/paced.lua" "${@:3}" "$2"
}

etcd_start() {
	errors='"level":"(error|fatal|panic|dpanic)"'
	loopback 2
	start service "$(bin bin/etcd)" --data-dir data --log-level info \
		--listen-client-urls "http://$address" --advertise-client-urls "http://$address" \
		--listen-peer-urls "http://127.0.0.1:${port[1]}" \
		--initial-advertise-peer-urls "http://127.0.0.1:${port[1]}" \
		--initial-cluster "default=http://127.0.0.1:${port[1]}"
}

etcdctl() {
	ETCDCTL_API=3 "$(bin bin/etcdctl)" --endpoints "$address" "$@"
}

etcd_load() {
	ETCDCTL_API=3 start load "$(bin bin/etcdctl)" --endpoints "$address" check perf --load=s
	# shellcheck disable=SC2016 # the inner shell's
	ETCDCTL_API=3 start puts bash -c '
		for ((i = 0;; i++)); do
			"$0" --endpoints "$1" put "key$i" "value $i" && "$0" --endpoints "$1" get "key$i"
		done' "$(bin bin/etcdctl)" "$address"
}

etcd_answers() {
	etcdctl put question answer && [ "$(etcdctl get --print-value-only question)" = answer ]
}

prometheus_start() {
	errors='level=(error|ERROR)|panic:'
	loopback 1
	cat >prometheus.yml <<-YML
		global: {scrape_interval: 100ms}
		scrape_configs:
		- job_name: itself
		  static_configs: [{targets: ['$address']}]
	YML
	start service "$(bin bin/prometheus)" --config.file prometheus.yml --storage.tsdb.path data \
		--web.listen-address "$address"
}

prometheus_load() {
	requests 4 "http://$address/api/v1/query?query=rate(prometheus_http_requests_total%5B1m%5D)"
}

prometheus_answers() {
	[[ $("$tool" ask GET "http://$address/api/v1/query?query=up") == *'"success"'*'"1"'* ]]
}

caddy_start() {
	errors='"level":"(error|fatal|panic)"|panic:'
	loopback 1
	mkdir -p root home
	seq -f 'hello %g' 10000 >root/load
	HOME=$PWD/home XDG_CONFIG_HOME=$PWD/home XDG_DATA_HOME=$PWD/home \
		start service "$(bin bin/caddy)" file-server --listen "$address" --root root
}

caddy_load() {
	requests 8 "http://$address/load"
}

caddy_answers() {
	"$tool" get "$address"
}

nats_start() {
	errors='\[(ERR|FTL)\]|panic:'
	loopback 1
	start service "$(bin sbin/nats-server)" -a 127.0.0.1 -p "${port[0]}"
}

nats_load() {
	start load "$tool" nats "$address" 8
}

nats_answers() {
	"$tool" nats "$address" 0
}

syncthing_start() {
	errors='(WARNING|FATAL|PANIC):|panic:'
	loopback 2
	mkdir -p home folder
	HOME=$PWD/home "$(bin bin/syncthing)" generate --home=home --no-default-folder >/dev/null
	# nothing goes out: no discovery, no relays, no reports
	sed -i -E -e 's#<(globalAnnounceEnabled|localAnnounceEnabled|relaysEnabled|natEnabled|crashReportingEnabled)>true#<\1>false#' \
		-e "s#<listenAddress>[^<]*#<listenAddress>tcp://127.0.0.1:${port[1]}#" home/config.xml
	for i in $(seq 300); do echo "$i" >"folder/$i"; done
	# monitored: it does not start a second process that works for it
	STMONITORED=yes HOME=$PWD/home start service "$(bin bin/syncthing)" serve --home=home \
		--no-browser --no-restart --no-upgrade --gui-address="http://$address" --gui-apikey=key
}

# rest METHOD PATH [BODY]
rest() {
	"$tool" ask "$1" "http://$address/rest/$2" "${3-}" 'X-API-Key: key'
}

syncthing_load() {
	await 'syncthing to answer' syncthing_answers
	rest PUT config/folders/f "{\"id\": \"f\", \"path\": \"$PWD/folder\", \"type\": \"sendreceive\"}"
	requests 2 "http://$address/rest/system/status" -H 'X-API-Key: key'
	# shellcheck disable=SC2016 # the inner shell's
	start scans bash -c '
		for ((i = 0;; i++)); do
			echo $i >folder/new
			"$1" ask POST "http://$0/rest/db/scan?folder=f" "" "X-API-Key: key"
			sleep 0.2
		done' "$address" "$tool"
}

syncthing_answers() {
	rest GET system/ping
}

# --- the same for all --------------------------------------------------------------------------

log_errors() {
	cat service.out service.err | grep -Ec "$errors" || :
}

# trace_service N: trace.N, report.N; adds to the counts of the row
trace_service() {
	local counted repaired missed

	run_gscope "report.$1" 0 trace -p "${target[service]}" -d 2s -o "trace.$1"
	await_intact service
	accept "trace.$1"
	counted=$(events_of "trace.$1" | "$tool" named)
	frames=$((frames + ${counted% *}))
	named=$((named + ${counted#* }))
	counted=$(sed -n 's/^\([0-9]*\) events in .*/\1/p' "report.$1.out")
	repaired=$(sed -n 's/^\([0-9]*\) contradictions\{0,1\} w.*/\1/p' "report.$1.out")
	missed=$(sed -n 's/^WARNING: \([0-9]*\) events\{0,1\} .*lost.*/\1/p' "report.$1.out")
	events=$((events + counted))
	repairs=$((repairs + ${repaired:-0}))
	lost=$((lost + ${missed:-0}))
}

percent() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b ? int(10000 * a / b) / 100 : 0 }'
}

# row SERVICE [VALUE...]: in place of the one before
row() {
	local compat=$top/build/compat

	mkdir -p "$compat"
	(
		flock 8
		{
			printf 'service\tpackage\tversion\tgo\tbuild\tevents\tlost\trepairs\tframes\tnamed %%\tvalid\thealthy\n'
			{
				sed "/^$1\t/d; /^service\t/d" "$compat/services.tsv" 2>/dev/null || :
				[ $# = 1 ] || (IFS=$'\t' && echo "$*")
			} | sort
		} >"$compat/services.tsv.new"
		mv "$compat/services.tsv.new" "$compat/services.tsv"
	) 8>"$compat/.services.lock"
}

# settings PROGRAM: how it was built, in a few words
settings() {
	local root

	root=$(root_of "$newest")
	GOROOT=$root GOTOOLCHAIN=local "$root/bin/go" version -m "$1" |
		awk '$1 == "build" && $2 ~ /^(-buildmode|-trimpath|-tags|CGO_ENABLED|-ldflags|-pgo)=/ { printf "%s ", $2 }'
	readelf -SW "$1" | grep -q ' \.symtab ' || echo stripped
}

# service NAME KIND PACKAGE VERSION GO PROGRAM
service() {
	local service=$1 kind=$2 address errors port before
	local events=0 lost=0 repairs=0 frames=0 named=0

	row "$service" # what is said of it comes from this run
	"${kind}_start"
	await "$service to answer" "${kind}_answers"
	"${kind}_load"
	"${kind}_answers"
	before=$(log_errors)
	trace_service 1
	trace_service 2
	! gone "${target[service]}" || fail "$service ended: $(tail -n 1 service.err)"
	"${kind}_answers" || fail "$service does not answer any more"
	[ "$(log_errors)" = "$before" ] ||
		fail "$service has new errors: $(cat service.out service.err | grep -E "$errors" | tail -n 1)"
	row "$service" "$3" "$4" "$5" "$(settings "$top/$6")" $events $lost $repairs $frames \
		"$(percent $named $frames)" yes yes
	[ $frames -gt 1000 ] || fail "only $frames stack frames"
	[ $((named * 100)) -ge $((frames * 99)) ] || fail "only $named of $frames frames have a name"
	[ $lost != 0 ] || [ $repairs = 0 ] || fail "nothing was lost, but $repairs contradictions repaired"
}

no_services() {
	skip 'no services are in build/services; tools/services fetches them'
}

if [ -s build/services/versions ]; then
	while read -r name package version go program; do
		add "service-$name" service "$name" "${name%-old}" "$package" "$version" "$go" "$program"
	done <build/services/versions
else
	add services no_services
fi
