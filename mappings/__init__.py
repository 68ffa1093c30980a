"""The declarations: YAML files that admins edit, and what turns them into a `syncline.mapping.CompiledMapping`.

    load.load(path) → LoadedMapping          every problem of the file at once, each with its line
    compile.compile_mapping(loaded) → CompiledMapping
    check.lint(loaded, schemas, capabilities) → what the two vendors will not stand for

May import `syncline` and libraries; `flows` and `console` import it. It never knows a vendor by name and never touches the network.
"""
