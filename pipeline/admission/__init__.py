"""Limits, money and slots: whether a call may go, as values and functions of time, and the one queue where calls wait.

`queue.Admission` waits and wakes; `governor.Governor` decides; `dimensions/` mirrors what a provider limits, and
`learning/` finds limits that nobody tells. A call gets in with a ticket, and gives it back with one `report.Report`.
"""
