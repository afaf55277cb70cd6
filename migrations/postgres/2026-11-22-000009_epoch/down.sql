-- Applied again, the migration begins a new epoch: clients read the messages anew once, and lose nothing.
DROP TABLE chat_epoch;
