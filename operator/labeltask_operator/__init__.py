"""The operator: turns each LabelTask into one Job, and mirrors into its status what cluster and database say.

Input: LabelTasks, Jobs and pods of the namespaces that it is told, rows of the ``state`` table. Output: Jobs,
ConfigMaps, statuses.
"""
