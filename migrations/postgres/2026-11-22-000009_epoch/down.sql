-- Applied again, the migration begins a new epoch: clients read the messages again once, and lose nothing.
DROP TABLE chat_epoch;
