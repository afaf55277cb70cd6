DROP TABLE chat_people;
