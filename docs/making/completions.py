"""Completions of the command line for bash, zsh and fish."""

from __future__ import annotations

from making.reference import PROGRAM, Command, Option, commands, options, top

FILES = ("FILE", "PATH")
NOTE = "# Made by script/make-docs."


def _takes_files(command: Command) -> bool:
    return any(a.metavar in FILES for a in command.parser._actions if not a.option_strings)


def _all(option: Option) -> str:
    return "|".join(option.names)


# --- bash ------------------------------------------------------------------------------------


def _bash_values(found: list[Option]) -> list[str]:
    """The branches that complete an option's value."""
    lines = []
    for one in found:
        if one.choices:
            words = f'COMPREPLY=($(compgen -W "{" ".join(one.choices)}" -- "$word"))'
        elif one.metavar in FILES:
            words = 'COMPREPLY=($(compgen -f -- "$word"))'
        elif one.metavar:
            words = "COMPREPLY=()"
        else:
            continue
        lines.append(f"        {_all(one)}) {words}; return ;;")
    return lines


def bash() -> str:
    """For bash: a file for /usr/share/bash-completion/completions."""
    whole = options(top()._actions)
    seen: dict[str, Option] = {}
    for one in (*whole, *(o for c in commands() for o in options(c.parser._actions))):
        seen.setdefault(_all(one), one)
    lines = [
        f"{NOTE} bash completion of {PROGRAM}.",
        "_journal_postfix() {",
        '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        '    local command="" number',
        "    for ((number = 1; number < COMP_CWORD; number++)); do",
        '        case "${COMP_WORDS[number]}" in',
        f"        {'|'.join(_all(o) for o in whole if o.metavar)}) ((number++)) ;;",
        "        -*) ;;",
        '        *) command="${COMP_WORDS[number]}"; break ;;',
        "        esac",
        "    done",
        '    case "$before" in',
        *_bash_values(list(seen.values())),
        "    esac",
        '    case "$command" in',
        '    "") COMPREPLY=($(compgen -W "'
        + " ".join([*(n for o in whole for n in o.names), "--help", *(c.name for c in commands())])
        + '" -- "$word")) ;;',
    ]
    for command in commands():
        words = [name for one in options(command.parser._actions) for name in one.names]
        reply = f'COMPREPLY=($(compgen -W "{" ".join([*words, "--help"])}" -- "$word"))'
        if _takes_files(command):
            files = 'COMPREPLY=($(compgen -f -- "$word"))'
            reply = f"if [[ $word == -* ]]; then {reply}; else {files}; fi"
        lines.append(f"    {command.name}) {reply} ;;")
    lines += ["    esac", "}", f"complete -o filenames -F _journal_postfix {PROGRAM}"]
    return "\n".join(lines) + "\n"


# --- zsh -------------------------------------------------------------------------------------


def _zsh_text(text: str) -> str:
    for char in "[]:":
        text = text.replace(char, f"\\{char}")
    return text.replace("'", "'\\''")


def _zsh_spec(one: Option) -> str:
    value = ""
    if one.choices:
        value = f":{one.metavar.lower()}:({' '.join(one.choices)})"
    elif one.metavar in FILES:
        value = f":{one.metavar.lower()}:_files"
    elif one.metavar:
        value = f":{_zsh_text(one.metavar.lower())}: "
    told = f"[{_zsh_text(one.help)}]{value}'"
    if len(one.names) == 1:
        return f"'{one.names[0]}{told}"
    return f"'({' '.join(one.names)})'{{{','.join(one.names)}}}'{told}"


def zsh() -> str:
    """For zsh: a file for a folder of fpath."""
    lines = [
        f"#compdef {PROGRAM}",
        f"{NOTE} zsh completion of {PROGRAM}.",
        "_journal_postfix() {",
        "    local context state state_descr line",
        "    typeset -A opt_args",
        "    _arguments -C -s \\",
        "        '(- *)--help[show this help]' \\",
        *(f"        {_zsh_spec(one)} \\" for one in options(top()._actions)),
        "        '1:command:->command' \\",
        "        '*::argument:->argument'",
        '    case "$state" in',
        "    command)",
        "        local -a commands=(",
        *(f"            '{c.name}:{_zsh_text(c.help)}'" for c in commands()),
        "        )",
        "        _describe command commands ;;",
        "    argument)",
        '        case "$words[1]" in',
    ]
    for command in commands():
        specs = ["'(- *)--help[show this help]'", *map(_zsh_spec, options(command.parser._actions))]
        if _takes_files(command):
            specs.append("'*:file:_files'")
        lines.append(f"        {command.name}) _arguments -s " + " ".join(specs) + " ;;")
    lines += ["        esac ;;", "    esac", "}", '_journal_postfix "$@"']
    return "\n".join(lines) + "\n"


# --- fish ------------------------------------------------------------------------------------


def _fish_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_option(where: str, one: Option) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in one.names
    )
    value = ""
    if one.choices:
        value = f" -x -a {_fish_text(' '.join(one.choices))}"
    elif one.metavar in FILES:
        value = " -r -F"
    elif one.metavar:
        value = " -x"
    return f"complete -c {PROGRAM} -n {where} {names}{value} -d {_fish_text(one.help)}"


def fish() -> str:
    """For fish: a file for vendor_completions.d."""
    lines = [f"{NOTE} fish completion of {PROGRAM}.", f"complete -c {PROGRAM} -f"]
    lines += [_fish_option("__fish_use_subcommand", one) for one in options(top()._actions)]
    for command in commands():
        about = _fish_text(command.help)
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -a {command.name} -d {about}")
        where = f"'__fish_seen_subcommand_from {command.name}'"
        lines += [_fish_option(where, one) for one in options(command.parser._actions)]
        if _takes_files(command):
            lines.append(f"complete -c {PROGRAM} -n {where} -F")
    return "\n".join(lines) + "\n"
