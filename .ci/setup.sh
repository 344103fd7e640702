# Sourced by ./run and ./test: finds out what is missing and installs it.

say() { printf '%s\n' "$*" >&2; }

# need "command:package …": adds to $missing the packages whose command is not there. "-:package" asks the package manager itself.
need() {
    for pair in $1; do
        command=${pair%%:*}
        package=${pair#*:}
        if [ "$command" = - ]; then
            dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q ' installed$' && continue
        else
            command -v "$command" >/dev/null 2>&1 && continue
        fi
        case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
    done
}

# Installs $missing through apt, or says what to do.
install_missing() {
    missing=${missing# }
    [ -n "$missing" ] || return 0
    line="apt-get update && apt-get install -y --no-install-recommends $missing"
    if ! command -v apt-get >/dev/null 2>&1; then
        say "error: missing here: $missing (names of Debian packages); install them with this system's own tool and try again"
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        say "error: some packages are missing; as root, run:"
        say "  $line"
        exit 1
    fi
    say "installing: $missing"
    DEBIAN_FRONTEND=noninteractive sh -c "$line" >&2 && return 0
    say "error: apt could not install: $missing"
    say "  see above; they are packages of Debian 12 or later, from its section \`main\`"
    exit 1
}

need_cargo() {
    command -v cargo >/dev/null 2>&1 && return 0
    if [ -x "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH"
        export PATH
        return 0
    fi
    say "error: cargo is missing; install Rust 1.90 or later with rustup, then try again"
    exit 1
}

# What the build itself needs: a C and C++ compiler (cryptography, and the demo's codecs), cmake (Opus), nasm (H.264).
build_tools="cc:build-essential c++:build-essential make:build-essential cmake:cmake nasm:nasm"
missing=
