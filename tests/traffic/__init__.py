"""A simulated Postfix: mails whose whole fate is known, and the lines it logs about them.

Each story (a mail, a refusal, some noise) knows what happens, says it in Postfix's words and
enters it in the ledger in the same breath. Nothing here reads a log line: the ledger is what the
simulation did, so it can judge a program that reads the lines.
"""
