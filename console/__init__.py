"""People: the `syncline` command of operators, admins and auditors. Nothing imports this room; it may import every other.

app        the command itself: options, errors, exit codes      project    init; where a project's files are
systems    connectors, check                                   rounds     plan, sync
questions  status, log, explain, verify                        stage      sandbox, demo
opener     a sync without its connectors                       show · show_plan · show_contact   words and tables for people
demo · demo_edits · demo_oracle · demo_world                    the demonstration, judged by an oracle of its own
"""
