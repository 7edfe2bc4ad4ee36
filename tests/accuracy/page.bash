# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Figures against their bars, and the pages: docs/accuracy.md, docs/accuracy-inline.md.

# judge WORKLOAD RELEASE FIGURES: a line for each bar: NAME, value, ok or short or none, reason
judge() {
	awk -F '\t' -v workload="$1" -v release="$2" '
		/^#/ { next }
		FILENAME ~ /reasons$/ {
			if (($1 == "*" || $1 == workload) && ($2 == "*" || $2 == release) && !($3 in why))
				why[$3] = $4
			next
		}
		FILENAME ~ /bars$/ { name[++n] = $1; side[n] = $2; bar[n] = $3; next }
		{ got[$1] = $2; of[$1] = $3 }
		END {
			for (i = 1; i <= n; i++) {
				k = name[i]
				if (!(k in got) || (of[k] == 0 && k !~ /^skew/)) {
					# more than nothing is too much
					v = got[k] > 0 ? "short" : "none"
					printf "%s\t%s\t%s\t%s\n", k, v == "short" ? got[k] : "-", v, why[k]
					continue
				}
				v = k ~ /^skew/ ? got[k] : 100 * got[k] / of[k]
				ok = side[i] == "least" ? (v >= bar[i]) : (v <= bar[i])
				text = k ~ /^skew/ ? v : sprintf(got[k] == of[k] ? "%d" : "%.3f", v)
				printf "%s\t%s\t%s\t%s\n", k, text, ok ? "ok" : "short", ok ? "" : why[k]
			}
		}' "$top/tests/accuracy/reasons" "$top/tests/accuracy/bars" "$3"
}

# number_of TEXT: of a reason, in the order in which they come up
number_of() {
	local i

	for i in "${!reasons[@]}"; do
		if [ "${reasons[i]}" = "$1" ]; then
			reason=$((i + 1))
			return
		fi
	done
	reasons+=("$1")
	reason=${#reasons[@]}
}

# judged WORKLOAD RELEASE NAME: value, state and reason, if there are any
judged() {
	[ ! -e "build/accuracy/$1-$2/judged" ] ||
		awk -F '\t' -v OFS='\t' -v name="$3" '$1 == name { print $2, $3, $4 }' \
			"build/accuracy/$1-$2/judged"
}

# table_of WORKLOAD: a line for each bar, a column for each release
table_of() {
	local release name side bar line value state why reason unit any

	printf '| | bar | %s |\n' "$(printf '%s | ' "${columns[@]/+/ }" | sed 's/ | $//')"
	printf '|---|---|%s\n' "$(printf -- '---|%.0s' "${columns[@]}")"
	while IFS=$'\t' read -r name side bar; do
		case $name in '#'*) continue ;; skew*) unit=' ns' ;; *) unit=' %' ;; esac
		line="| $name | at $side $bar$unit" any=
		for release in "${columns[@]}"; do
			IFS=$'\t' read -r value state why < <(judged "$1" "$release" "$name") || value=-
			if [ "$value" != - ] && [ "$state" = short ]; then
				if [ -n "$why" ]; then number_of "$why"; else reason='?'; fi
				value="**$value** [$reason]"
			fi
			[ "$value" = - ] || any=1
			line+=" | ${value#-}"
		done
		[ -z "$any" ] || echo "$line |"
	done <tests/accuracy/bars
}

# volumes_of WORKLOAD: what was compared, and what was not
volumes_of() {
	local release dir lost

	for release in "${columns[@]}"; do
		dir=build/accuracy/$1-$release
		[ -e "$dir/judged" ] || continue
		lost=${dropped[$1-$release]-0}
		awk -F '\t' -v release="${release/+/, }" -v lost="$lost" '
			{ got[$1] = $2; of[$1] = $3 }
			/^left out/ { sub(/^left out: /, ""); left = left "; left out: " $2 " " $1 }
			END {
				printf "* Go %s: %d transitions of %d goroutines in %d ms%s%s.\n", release, \
					of["transitions found"], got["goroutines"], got["milliseconds"], left, \
					lost ? "; runs in which events were lost, not counted: " lost : ""
			}' "$dir/figures"
	done
}

# write_page: from all that is in build/accuracy, of this run or earlier ones
write_page() {
	local workload release columns=() reasons=() i file page=accuracy.md suffix='' seen='uprobes'

	if [ "$engine" = inline ]; then
		page=accuracy-inline.md suffix=+inline seen="redirected calls (\`--probes inline\`)"
	fi
	for release in "${releases[@]/%/$suffix}"; do
		for workload in "${workloads[@]}"; do
			file=build/accuracy/$workload-$release/figures
			[ -e "$file" ] || continue
			judge "$workload" "${release%+*}" "$file" >"${file%figures}judged"
			[[ " ${columns[*]} " == *" $release "* ]] || columns+=("$release")
		done
	done
	{
		cat <<-END
			# Accuracy: goroutines seen by $seen

			Written by \`make accuracy\` (\`tests/accuracy/run --write\`, with \`-i\` for redirected calls, which needs root and the
			toolchains of \`tools/go-toolchains\`) from what it measured: Linux $(uname -r),
			$(uname -m), $(nproc) CPUs of$(sed -n 's/^model name.*:/ /p' /proc/cpuinfo | head -n 1 | tr -s ' ').

			A program (\`tests/targets/selftrace\`) traces itself with \`runtime/trace\` while gscope
			traces it from outside. Both traces go through the strict reader of the Go distribution,
			and the transitions of each goroutine are aligned with those of the truth, step by step
			(\`tests/accuracy/compare\`). A step without a partner within 20 ms is missing, or extra;
			of the partners reason, thread, P and every frame of the stack are compared. No event
			was lost in the runs that count.

			All figures but skew are per cent of what the truth has. A figure below its bar is bold;
			the number behind it is that of the reason at the end. Rows and cells of what the truth has
			nothing of are empty or left out.

		END
		for workload in "${workloads[@]}"; do
			compgen -G "build/accuracy/$workload-*$suffix/judged" >/dev/null || continue
			echo "## $workload"
			echo
			table_of "$workload"
			echo
			volumes_of "$workload"
			echo
		done
		echo '## Reasons'
		echo
		[ ${#reasons[@]} -gt 0 ] || echo 'Every bar is reached.'
		for i in "${!reasons[@]}"; do
			echo "$((i + 1)). ${reasons[i]}"
		done
	} >build/accuracy/page.md
	mv build/accuracy/page.md docs/$page
}
