-- Files that wait to be sent become orphans, which are collected.
DROP TABLE chat_uploads;
